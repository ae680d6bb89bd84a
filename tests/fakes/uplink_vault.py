"""The vault's end of uplink's socket: answers hello, keeps what it is told, and asks."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.core.errors import RefusedError, TroubleError
from agent.core.strict_json import Json
from agent.services.unix_server import Server
from agent.services.wire import Link, Message, Request

CELL = ["db/1/req/9q8y/+", "db/1/can/9q8y/+", "db/1/alert/9q8y/+"]


class FakeVault:
    """Listens at `run_dir/uplink.sock` and takes one uplink at a time."""

    def __init__(self, run_dir: Path) -> None:
        self.told: list[tuple[str, dict[str, Any], bytes | None]] = []
        self.link: Link | None = None
        self.refuse: set[str] = set()
        self._changed = threading.Condition()
        self._server = Server(run_dir / "uplink.sock", self._on_socket)

    def _on_socket(self, sock: Any) -> None:
        link = Link(sock, self._on_request, name="fake-vault")
        with self._changed:
            self.link = link
            link.start()
            self._changed.notify_all()

    def _on_request(self, request: Request) -> None:
        with self._changed:
            self.told.append((request.verb, request.message.args, request.message.blob))
            self._changed.notify_all()
        with contextlib.suppress(TroubleError):  # uplink left before the answer
            if request.verb in self.refuse:
                request.refuse(RefusedError("E_SIZE", "no"))
            else:
                hello: dict[str, Json] = {"client_id": "ab" * 16, "topics": [*CELL]}
                request.answer(Message(hello if request.verb == "hello" else {}))

    def until(self, done: Callable[[list[tuple[str, dict[str, Any], bytes | None]]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: done(self.told), 15), self.told

    def heard(self, verb: str, **args: object) -> None:
        """Wait until `verb` was said with at least these arguments."""
        self.until(lambda told: any(one[0] == verb and args.items() <= one[1].items() for one in told))

    def ask(
        self, verb: str, args: dict[str, Any], *, blob: bytes | None = None, fds: tuple[int, ...] = ()
    ) -> Message:
        assert self.link is not None
        return self.link.call(verb, args, blob=blob, fds=fds, timeout_s=20)

    def stop(self) -> None:
        self._server.close()
        if self.link is not None:
            self.link.close()
