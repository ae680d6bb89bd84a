"""A TCP proxy on loopback that records what crosses it: sizes, directions and times, never contents.

It shows what someone on the line sees of a TLS connection. It can also cut a connection after so many bytes.
"""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Direction = Literal["out", "in"]
_READ_BYTES = 65_536


@dataclass(frozen=True)
class Crossing:
    """Bytes that crossed at once: `out` from the device, `in` to it; `size` 0 is the end of that direction."""

    connection: int
    direction: Direction
    at_s: float
    size: int


class RecordingProxy:
    """Hands connections to its `port` on to `target_port`, both on 127.0.0.1.

    Args:
        target_port: Where to.
        cut_after_bytes: Cut the next connection once so many bytes came from the device; once only.
    """

    def __init__(self, target_port: int, *, cut_after_bytes: int | None = None) -> None:
        self.target_port = target_port
        self.cut_after_bytes = cut_after_bytes
        self._crossings: list[Crossing] = []
        self._lock = threading.Lock()
        self._count = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def crossings(self, direction: Direction | None = None) -> list[Crossing]:
        """What crossed so far, in order; of one direction if one is given."""
        with self._lock:
            return [one for one in self._crossings if direction in (None, one.direction)]

    def forget(self) -> None:
        """Start the record anew; connections go on."""
        with self._lock:
            self._crossings.clear()

    def cut(self) -> None:
        """Cut every connection now."""
        with self._lock:
            sockets = tuple(self._open)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Cut everything and stop to listen."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                device, _ = self._listener.accept()
            except OSError:
                return
            self._count += 1
            threading.Thread(target=self._carry, args=(device, self._count), daemon=True).start()

    def _carry(self, device: socket.socket, connection: int) -> None:
        with device:
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), 5)
            except OSError:
                return
            with server, self._held(device, server):
                for sock in (device, server):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError):
                    self._pump(device, server, connection)

    @contextlib.contextmanager
    def _held(self, *sockets: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.update(sockets)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(sockets)

    def _pump(self, device: socket.socket, server: socket.socket, connection: int) -> None:
        routes: dict[socket.socket, tuple[socket.socket, Direction]] = {
            device: (server, "out"),
            server: (device, "in"),
        }
        sent_out = 0
        with selectors.DefaultSelector() as selector:
            for sock in routes:
                selector.register(sock, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    target, direction = routes[source]
                    part = source.recv(_READ_BYTES)
                    with self._lock:
                        self._crossings.append(Crossing(connection, direction, time.monotonic(), len(part)))
                    if not part:
                        selector.unregister(source)
                        target.shutdown(socket.SHUT_WR)
                        continue
                    if direction == "out" and self.cut_after_bytes is not None:
                        sent_out += len(part)
                        if sent_out > self.cut_after_bytes:
                            self.cut_after_bytes = None
                            target.sendall(part[: len(part) // 2])
                            return
                    target.sendall(part)
