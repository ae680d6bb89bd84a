# Invariant: whatever a peer process writes, with whatever descriptors, the socket layer hands on a well-formed
# call or answer, or refuses the frame with RefusedError; and every descriptor that came is closed in the end.
"""Fuzzes the frames between the doorbell's own processes, as one that was taken over would write them."""

import os
import socket
from collections.abc import Iterator
from typing import Final

from agent.core.errors import DoorbellError, RefusedError
from agent.core.strict_json import dump, parse
from agent.services.memfd import memfd
from agent.services.wire import MAX_FRAME_BYTES, Link, Message, Request

MAX_FDS: Final = 3
PAIR: Final = socket.socketpair()


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: how many descriptors come, and the frame."""
    frames: list[tuple[int, object]] = [
        (0, {"id": 1, "verb": "status", "args": {}, "fds": 0}),
        (1, {"id": 2, "verb": "message", "args": {"kind": "req"}, "blob": True, "fds": 0}),
        (2, {"id": 3, "verb": "upload", "args": {}, "big": True, "fds": 1}),
        (1, {"id": 0, "verb": "sealed", "args": {}, "fds": 1}),
        (0, {"re": 1, "args": {"x": 1}, "fds": 0}),
        (0, {"re": 1, "error": "C_STATE", "why": "no", "kind": "refused"}),
        (0, {"re": [1], "args": {}, "fds": 0}),
        (0, {"re": {"a": 1}, "error": "x"}),
        (0, {"id": "1", "verb": 2, "args": [], "fds": -1}),
        (0, []),
    ]
    for count, frame in frames:
        yield bytes([count]) + dump(frame)


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    count, rest = data[0] % (MAX_FDS + 1) if data else 0, data[1:]
    seen: list[Request] = []
    answers: list[Message | DoorbellError] = []
    link = Link(PAIR[0], seen.append)
    link._calls[1] = answers.append
    fds = [memfd(rest) for _ in range(count)]
    came = list(fds)
    try:
        link._dispatch(parse(rest, max_bytes=MAX_FRAME_BYTES), fds)
    except RefusedError:
        pass
    finally:
        for fd in fds:
            os.close(fd)
    for request in seen:
        if {type(request.verb), type(request.message.args)} != {str, dict}:
            raise AssertionError("a call of no form was handed on")
        request.message.close()
    for answer in answers:
        if isinstance(answer, Message):
            answer.close()
    for fd in came:
        try:
            os.fstat(fd)
        except OSError:
            continue
        raise AssertionError("a descriptor was left open")
