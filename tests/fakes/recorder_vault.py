"""A vault that only listens to the recorder, and the files that it writes for it."""

import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.encoding import b64
from agent.core.errors import RefusedError
from agent.core.ids import kid_of
from agent.core.strict_json import Json
from agent.services.unix_server import Server
from agent.services.wire import Link, Message, run_handler
from tests.fakes.buffer_store import DEVICE


def write_recipients(
    path: Path, keys: Sequence[tuple[X25519PrivateKey, str]], *, floor_s: int = 0, suspect: bool = False
) -> None:
    """Write recipients.json as the vault does: atomically."""
    entries = []
    for private, kind in keys:
        pub = private.public_key().public_bytes_raw()
        entries.append({"kid": kid_of(pub), "pub": b64(pub), "kind": kind})
    value = {"v": 1, "device": DEVICE, "recipients": entries, "floor_s": floor_s, "suspect": suspect}
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(value))
    fresh.replace(path)


class FakeVault:
    """Takes hello, sealed and status; refuses the ids in `refuses`, and has a bug that those in `trips` meet."""

    def __init__(self, path: Path) -> None:
        self.calls: list[tuple[str, dict[str, Json]]] = []
        self.refuses: set[Json] = set()
        self.trips: set[Json] = set()
        self.links: list[Link] = []
        self._server = Server(path, self._on_socket)

    def _on_socket(self, sock: socket.socket) -> None:
        link = Link(sock, lambda request: run_handler(request, self._handle))
        self.links.append(link)  # before it can hand anything on
        link.start()

    def _handle(self, verb: str, message: Message) -> Message:
        self.calls.append((verb, message.args))
        if message.args.get("id") in self.refuses:
            raise RefusedError("E_SEGMENT", "no")
        if message.args.get("id") in self.trips:
            raise KeyError("nobody expected this")
        return Message()

    def said(self, verb: str) -> list[dict[str, Json]]:
        """Return the arguments of every call of that verb."""
        return [args for name, args in self.calls if name == verb]

    def drop(self) -> None:
        """End every link; the recorder may come back."""
        links, self.links = self.links, []
        for link in links:
            link.close()

    def close(self) -> None:
        """End everything."""
        self._server.close()
        self.drop()


def wait_for(condition: Callable[[], object], *, timeout_s: float = 20.0, what: str = "") -> None:
    """Wait until `condition` holds, or fail."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"not in {timeout_s} s: {what}"
        threading.Event().wait(0.02)
