"""The server against an unfriendly home network, and leaving when nobody looks."""

from __future__ import annotations

import contextlib
import socket
import ssl
import statistics
import time
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent.core import ids
from agent.core.errors import TroubleError
from agent.page import https_server
from agent.page.https_server import listen
from tests.page.phone import PhoneClient
from tests.page.serving import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.page.serving import Served


@contextlib.contextmanager
def connected(served: Served) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cadata=served.vault.ca.pem)
    with (
        socket.create_connection(("127.0.0.1", served.port), timeout=8) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as sock,
    ):
        yield sock


def ends(sock: ssl.SSLSocket) -> bool:
    """Whether the other side has given up on this connection."""
    try:
        return sock.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_a_handshake_that_never_begins_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https_server, "HANDSHAKE_S", 0.4)
    with serve(tmp_path) as served, socket.create_connection(("127.0.0.1", served.port), timeout=8) as raw:
        assert raw.recv(1) == b""


def test_a_head_that_never_ends_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https_server, "HEAD_S", 0.5)
    with connected(served) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: ")
        started = time.monotonic()
        assert ends(sock)
        assert time.monotonic() - started < 5


def test_dripping_bytes_do_not_lengthen_the_deadline(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https_server, "HEAD_S", 0.6)
    with connected(served) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        sock.settimeout(0.1)
        started = time.monotonic()
        closed = False
        while not closed and time.monotonic() - started < 6:
            try:
                sock.sendall(b"X: y\r\n")
                closed = sock.recv(1) == b""
            except TimeoutError:
                continue
            except (ssl.SSLError, OSError):
                closed = True
        assert closed
        assert time.monotonic() - started < 4


def test_a_connection_that_says_nothing_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https_server, "HEAD_S", 0.3)
    with connected(served) as sock:
        assert ends(sock)


def test_a_second_request_on_a_connection_has_a_deadline_of_its_own(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https_server, "HEAD_S", 0.5)
    with connected(served) as sock:
        head = f"GET /static/icon.svg HTTP/1.1\r\nHost: localhost:{served.port}\r\n\r\n".encode()
        for _ in range(2):
            sock.sendall(head)
            answer = b""
            while not answer.endswith(b"</svg>\n"):
                answer += sock.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200")
        sock.sendall(b"GET / HT")
        assert ends(sock)


def test_an_event_stream_outlives_the_deadline_of_heads(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https_server, "HEAD_S", 0.2)
    phone = PhoneClient(served)
    phone.pair()
    phone.log_in()
    stream = phone.listen()
    time.sleep(0.6)
    served.vault.press(served.vault.receive_any())
    assert stream.take()[0] == "request"
    assert stream.take()[0] == "state"
    stream.close()


def test_a_head_without_bound_is_refused(served: Served) -> None:
    with connected(served) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 40_000 + b"\r\n\r\n")
        answer = b""
        with contextlib.suppress(OSError):
            answer = sock.recv(65_536)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def posting(served: Served, *lines: str) -> bytes:
    head = [f"Host: localhost:{served.port}", "Content-Type: application/json", "X-Doorbell: 1", *lines]
    return "\r\n".join(["POST /api/pair HTTP/1.1", *head, "", ""]).encode()


def test_a_declared_giant_is_refused_before_it_is_sent(served: Served) -> None:
    with connected(served) as sock:
        sock.sendall(posting(served, "Content-Length: 1000000000") + b"x" * 100)
        assert sock.recv(65_536).startswith(b"HTTP/1.1 413")


def test_a_body_without_end_is_not_buffered_beyond_its_bound(served: Served) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with connected(served) as sock:
        sock.sendall(posting(served, "Transfer-Encoding: chunked"))
        sock.settimeout(0.02)
        answer, sent = b"", 0
        while not answer and sent < 16_000_000:
            with contextlib.suppress(OSError):
                sock.sendall(chunk)
            sent += len(chunk)
            with contextlib.suppress(TimeoutError):
                answer = sock.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 413")
        assert sent < 8_000_000


def test_a_phone_that_leaves_in_the_middle_of_a_body_fills_no_log(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    for line in ("Content-Length: 1000", "Content-Length: 100000"):  # taken, and refused and drained
        with connected(served) as sock:
            sock.sendall(posting(served, line) + b"{")
            time.sleep(0.2)
    time.sleep(0.3)
    assert served.client.request("GET", served.origin + "/").status == 200
    assert [record.message for record in caplog.records] == []


def test_one_address_cannot_take_every_connection(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https_server, "MAX_CONNECTIONS_PER_ADDRESS", 3)
    with contextlib.ExitStack() as stack:
        served.client.clear()
        kept = [stack.enter_context(connected(served)) for _ in range(3)]
        time.sleep(0.2)
        with connected(served) as extra:
            assert ends(extra)
        head = f"GET / HTTP/1.1\r\nHost: localhost:{served.port}\r\n\r\n".encode()
        kept[0].sendall(head)
        assert kept[0].recv(65_536).startswith(b"HTTP/1.1 200")


def test_an_answer_does_not_wait_for_the_networks_small_print(served: Served) -> None:
    """Without TCP_NODELAY each answer takes 40 ms: head and body go out one by one."""
    phone = PhoneClient(served)
    phone.pair()
    phone.log_in()
    times_s = []
    for _ in range(15):
        started = time.perf_counter()
        phone.get("/api/status")
        times_s.append(time.perf_counter() - started)
    assert statistics.median(times_s) < 0.03


def test_an_idle_page_ends_by_itself_and_a_listener_keeps_it(tmp_path: Path) -> None:
    with serve(tmp_path, idle_s=0.8) as served:
        phone = PhoneClient(served)
        phone.pair()
        phone.log_in()
        stream = phone.listen()
        time.sleep(1.5)
        assert served.is_running()
        stream.close()
        phone.eventually(lambda: not served.is_running(), within_s=6)


def test_a_stop_does_not_wait_for_listeners(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        phone = PhoneClient(served)
        phone.pair()
        phone.log_in()
        stream = phone.listen()
        started = time.monotonic()
    assert time.monotonic() - started < 1.5
    stream.close()


def test_a_taken_port_is_a_plain_trouble() -> None:
    first = listen("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(TroubleError, match=f"can't listen on 127.0.0.1 port {port}.*free it or set"):
        listen("127.0.0.1", port)
    first.close()


def test_ipv6_is_listened_on_too() -> None:
    try:
        sock = listen("::1", 0)
    except TroubleError:
        pytest.skip("no IPv6 on this machine")
    assert sock.family == socket.AF_INET6
    sock.close()


def test_every_address_means_ipv4_too() -> None:
    try:
        sock = listen("::", 0)
    except TroubleError:
        pytest.skip("no IPv6 on this machine")
    with sock:
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, sock.getsockname()[1]), timeout=5).close()


def test_old_tls_is_refused(served: Served) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", served.port)) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw)


def test_plain_http_gets_nothing(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in raw.recv(4096)


def test_a_pinned_key_is_that_of_the_certificate(served: Served) -> None:
    pem = ssl.get_server_certificate(("127.0.0.1", served.port))
    public = x509.load_pem_x509_certificate(pem.encode()).public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert ids.sha256_hex(der) == served.vault.spki.hex()
