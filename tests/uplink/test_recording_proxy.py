"""The recording proxy carries every byte, records sizes, and cuts where it is told to."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.uplink.recording_proxy import RecordingProxy


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it is sent."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):  # the proxy cuts
                while part := sock.recv(65_536):
                    sock.sendall(part)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def received(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (part := sock.recv(count - len(data))):
        data += part
    return data


def test_it_carries_every_byte_and_records_both_ways(echo: int) -> None:
    proxy = RecordingProxy(echo)
    body = bytes(range(256)) * 2000
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
        sock.sendall(body[:1000])
        assert received(sock, 1000) == body[:1000]
        sock.sendall(body)
        assert received(sock, len(body)) == body
    time.sleep(0.1)
    for direction in ("out", "in"):
        crossed = [one for one in proxy.crossings() if one.direction == direction]
        assert sum(one.size for one in crossed) == len(body) + 1000
        assert [one.at_s for one in crossed] == sorted(one.at_s for one in crossed)
    assert proxy.crossings("out")[0].size == 1000
    proxy.forget()
    assert proxy.crossings() == []
    proxy.stop()


def test_it_cuts_once_after_so_many_bytes(echo: int) -> None:
    proxy = RecordingProxy(echo, cut_after_bytes=1000)
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
        sock.sendall(bytes(2000))
        assert len(received(sock, 2000)) < 2000
    with socket.create_connection(("127.0.0.1", proxy.port), 10) as sock:
        sock.sendall(bytes(2000))
        assert len(received(sock, 2000)) == 2000
    proxy.stop()
