"""The vault's four sockets, and who may sit at the other end."""

import contextlib
import os
import pwd
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.core.errors import TroubleError
from agent.services.unix_server import Server
from agent.services.vault.loop import Loop
from agent.services.vault.verbs import Table, run
from agent.services.wire import Link, Request

MAX_LINKS: Final = 32  # of one kind of peer: each costs a thread and a descriptor
#: Users of the units in systemd/; each socket lets in only its own, and root.
USERS: Mapping[str, str] = {
    "recorder": "doorbell-recorder",
    "page": "doorbell-page",
    "uplink": "doorbell-uplink",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """One kind of peer: its name, what it may ask, and what to do when one comes or goes."""

    name: str
    table: Table
    attached: Callable[[Link], None] = lambda _: None
    detached: Callable[[Link], None] = lambda _: None


def allowed_users(name: str) -> frozenset[int]:
    """Return the user ids that may connect: root, whoever runs the vault, and the unit's own user."""
    uids = {0, os.getuid()}
    with contextlib.suppress(KeyError):
        uids.add(pwd.getpwnam(USERS[name]).pw_uid)
    return frozenset(uids)


def listen(peer: Peer, run_dir: Path, loop: Loop) -> Server:
    """Listen for one kind of peer; everything that it asks runs in the loop.

    Raises:
        TroubleError: run-dir.
    """
    places = threading.BoundedSemaphore(MAX_LINKS)

    def on_socket(sock: socket.socket) -> None:
        if not places.acquire(blocking=False):
            sock.close()
            return

        def closed() -> None:
            places.release()
            _post(loop, lambda: peer.detached(link))

        link = Link(sock, on_request, on_close=closed, name=peer.name)
        _post(loop, lambda: peer.attached(link))
        try:
            link.start()
        except RuntimeError:  # no thread is left, so nobody else will ever call it
            closed()
            raise

    def on_request(request: Request) -> None:
        try:
            loop.post(lambda: run(peer.table, request))
        except TroubleError as busy:
            request.refuse(busy)

    return Server(run_dir / f"{peer.name}.sock", on_socket, uids=allowed_users(peer.name))


def _post(loop: Loop, action: Callable[[], None]) -> None:
    """Post what must not be lost; a loop that stays full is a vault that hangs, and is started again."""
    with contextlib.suppress(TroubleError):
        loop.put(action)
