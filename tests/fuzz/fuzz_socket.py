# Invariant: whatever a peer sends, the link takes whole calls or ends; it never raises, never hangs, and leaves no
# descriptor open.
"""Fuzzes the socket layer: bytes as a taken-over process would write them, with and without a descriptor."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from agent.services.wire import Link, Request


def _frame(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: one byte of how many descriptors, then frames."""
    yield b"\0" + _frame(b'{"id":1,"verb":"hello","args":{},"blob":false,"big":false,"fds":0}')
    yield b"\1" + _frame(b'{"id":1,"verb":"x","args":{},"blob":true,"big":false,"fds":0}')
    yield b"\1" + _frame(b'{"id":1,"verb":"x","args":{},"blob":false,"big":true,"fds":0}')
    yield b"\1" + _frame(b'{"re":1,"args":{},"blob":false,"big":false,"fds":1}')
    yield b"\0" + _frame(b'{"re":1,"error":"E","why":"","kind":"refused"}')
    yield b"\2" + _frame(b"[]")


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    before = _open_descriptors()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

    def on_request(request: Request) -> None:
        request.message.close()

    link = Link(ours, on_request).start()
    fds = [os.memfd_create("fuzz") for _ in range(data[0] % 4 if data else 0)]
    try:
        if data[1:]:
            socket.send_fds(theirs, [data[1:]], fds)
    finally:
        for fd in fds:
            os.close(fd)
        theirs.close()
        link._reader.join(5)
    if link._reader.is_alive():
        raise AssertionError("the link hangs")
    link.close()
    if _open_descriptors() > before:
        raise AssertionError("a descriptor is left open")
