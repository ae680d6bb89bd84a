"""Frames to a peer that reads late, slowly or never: in order, bounded, and nobody waits."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.services import outbox
from agent.services.outbox import MAX_WAITING_BYTES, MAX_WAITING_FDS, Outbox

FRAME = 4096


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def frame(n: int) -> bytes:
    return n.to_bytes(4, "big") * (FRAME // 4)


def read(sock: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        piece = sock.recv(count - len(got))
        if not piece:
            break
        got += piece
    return bytes(got)


def fill(box: Outbox, at_most: int) -> int:
    """Send frames until the peer is given up or `at_most` are sent; returns how many were taken."""
    for n in range(at_most):
        try:
            box.send(frame(n), [])
        except OSError:
            return n
    return at_most


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def test_what_a_late_reader_missed_comes_in_order_and_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    box = Outbox(ours, "sender")
    frames = 150  # more than a socket takes, less than may wait
    assert fill(box, frames) == frames
    assert read(theirs, frames * FRAME) == b"".join(frame(n) for n in range(frames))
    box.send(b"after", [])
    assert read(theirs, 5) == b"after"


def test_a_peer_that_never_reads_holds_nobody_and_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    box = Outbox(ours, "sender")
    begin = time.monotonic()
    taken = fill(box, 10_000)
    assert time.monotonic() - begin < outbox.STALLED_S / 2
    assert taken * FRAME <= MAX_WAITING_BYTES + 2 * ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    with pytest.raises(OSError, match=r".*"):
        box.send(b"one more", [])
    assert len(read(theirs, 10_000 * FRAME)) <= taken * FRAME  # it ends: the connection was shut down


def test_a_peer_that_takes_nothing_for_long_is_given_up(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "STALLED_S", 1)
    ours, _ = pair
    box = Outbox(ours, "sender")
    fill(box, 150)
    deadline = time.monotonic() + 10
    with pytest.raises(OSError, match=r".*"):
        while time.monotonic() < deadline:
            box.send(b"", [])
            time.sleep(0.05)


def test_descriptors_that_wait_go_with_their_frame_and_none_is_left(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    ours, theirs = pair
    before = open_descriptors()
    box = Outbox(ours, "sender")
    frames = fill(box, 100)
    for n in range(3):
        path = tmp_path / str(n)
        path.write_bytes(b"file %d" % n)
        fd = os.open(path, os.O_RDONLY)
        box.send(b"!", [fd])
        os.close(fd)
    read(theirs, frames * FRAME)
    for n in range(3):
        data, fds, _, _ = socket.recv_fds(theirs, 1, 4)
        assert data == b"!"
        assert os.pread(fds[0], 10, 0) == b"file %d" % n
        os.close(fds[0])
    wait_for_end("sender")
    assert open_descriptors() == before


def test_more_descriptors_than_may_wait_end_it_and_none_is_left(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    before = open_descriptors()
    box = Outbox(ours, "sender")
    fill(box, 100)
    with pytest.raises(OSError, match=r".*"):
        for _ in range(MAX_WAITING_FDS + 1):
            box.send(b"!", [theirs.fileno()])
    wait_for_end("sender")
    assert open_descriptors() == before


def test_closing_ends_the_thread_that_sends(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    box = Outbox(ours, "sender")
    fill(box, 150)
    box.close()
    wait_for_end("sender")
    with pytest.raises(OSError, match=r".*"):
        box.send(b"late", [])


def wait_for_end(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(5)
            assert not thread.is_alive()
