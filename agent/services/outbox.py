"""What is on its way to the process at the other end of a socket, so that nobody who sends ever waits for it.

Rules of this room: the sender itself tries first, without waiting, and usually that is all. What the socket does
not take waits here in its order, and a thread that lives only as long sends it. What may wait is bounded; a peer
for which more waits, or that takes nothing for `STALLED_S`, is given up: the socket is shut down.
"""

import contextlib
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

STALLED_S: Final = 5.0
MAX_WAITING_BYTES: Final = 1_048_576
MAX_WAITING_FDS: Final = 16


class Outbox:
    """Sends whole frames over a connected unix stream socket, in order. Safe to use from several threads.

    Args:
        sock: its owner closes it; `send` may shut it down.
        name: of the thread that sends what waits.
    """

    def __init__(self, sock: socket.socket, name: str) -> None:
        self._sock = sock
        self._name = name
        self._lock = threading.Lock()
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._waiting_bytes = self._waiting_fds = 0
        self._sending = self._over = False
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(STALLED_S), 0))

    def send(self, frame: bytes, fds: Sequence[int]) -> None:
        """Send a frame or let it wait; returns at once. Descriptors go with its first byte, and stay the caller's.

        Raises:
            OSError: the peer is gone, or was given up.
        """
        with self._lock:
            if self._over:
                raise BrokenPipeError
            try:
                sent = 0 if self._sending else self._try(frame, fds)
                if sent < len(frame):
                    self._wait(frame[sent:], [] if sent else fds)
            except OSError:
                self._give_up()
                raise

    def _try(self, frame: bytes, fds: Sequence[int]) -> int:
        """Send what the socket takes now; returns how many bytes that were."""
        try:
            return self._sock.sendmsg([frame], _rights(fds), socket.MSG_DONTWAIT)  # send_fds would drop the flag
        except BlockingIOError:
            return 0

    def _wait(self, rest: bytes, fds: Sequence[int]) -> None:
        more_bytes, more_fds = self._waiting_bytes + len(rest), self._waiting_fds + len(fds)
        if more_bytes > MAX_WAITING_BYTES or more_fds > MAX_WAITING_FDS:
            raise BrokenPipeError
        own: list[int] = []
        self._waiting.append((rest, own))
        own.extend(os.dup(fd) for fd in fds)
        self._waiting_bytes, self._waiting_fds = more_bytes, more_fds
        if not self._sending:
            self._sending = True
            try:
                threading.Thread(target=self._send_waiting, name=self._name, daemon=True).start()
            except RuntimeError as exc:
                raise BrokenPipeError from exc  # the system has no thread left

    def _send_waiting(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._sending = False
                    return
                rest, fds = self._waiting.popleft()
            try:
                sent = self._sock.sendmsg([rest], _rights(fds))
                self._sock.sendall(memoryview(rest)[sent:])
            except OSError:
                self.close()
            finally:
                _close(fds)
            with self._lock:
                self._waiting_bytes -= len(rest)
                self._waiting_fds -= len(fds)

    def _give_up(self) -> None:
        """Half a frame may be out: the connection can't go on."""
        self._over = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        while self._waiting:
            _close(self._waiting.popleft()[1])

    def close(self) -> None:
        """Shut the connection down; what waits is not sent any more."""
        with self._lock:
            self._give_up()


def _rights(fds: Sequence[int]) -> list[tuple[int, int, bytes]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
