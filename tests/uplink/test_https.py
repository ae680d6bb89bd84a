"""HTTPS to one server: what a hostile, broken or slow one can't do."""

import os
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from agent.core.errors import RefusedError, TroubleError
from agent.uplink.addresses import HttpsAddress
from agent.uplink.https import HttpsSession, Peer
from agent.uplink.tls import client_context
from demo.certs import Authority, Certificate
from demo.https_server import HttpsServer, QuietHandler

PEER = Peer("upload", "the upload server")


class Mirror(QuietHandler):
    """Answers what the path asks for and remembers what it was asked."""

    seen: list[tuple[str, str, dict[str, str], bytes]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.seen.append((self.command, self.path, dict(self.headers.items()), body))
        if self.path.startswith("/redirect"):
            self.answer(302, b"", {"Location": "/elsewhere"})
        elif self.path.startswith("/bytes/"):
            self.answer(200, bytes(int(self.path.rpartition("/")[2])))
        else:
            self.answer(200, b"hello")

    do_POST = do_GET  # noqa: N815 - http.server's name


@pytest.fixture
def mirror(certificate: Certificate) -> Iterator[HttpsServer]:
    Mirror.seen = []
    server = HttpsServer(Mirror, certificate)
    server.start()
    yield server
    server.stop()


def session(
    port: int, context: ssl.SSLContext, *, host: str = "localhost", base: str = "", private: bool = True
) -> HttpsSession:
    return HttpsSession(HttpsAddress(host, port, base), context, PEER, private_addresses=private)


@contextmanager
def raw_server(certificate: Certificate, talk: Callable[[ssl.SSLSocket], None]) -> Iterator[int]:
    """A TLS server that reads one request head and then says what `talk` says."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = certificate.server_context()

    def serve() -> None:
        try:
            plain, _ = listener.accept()
            with context.wrap_socket(plain, server_side=True) as tls:
                tls.recv(4096)
                talk(tls)
        except OSError:
            return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(5)
        assert not thread.is_alive()


def test_an_answer_comes_back_whole(mirror: HttpsServer, context: ssl.SSLContext) -> None:
    with session(mirror.port, context, base="/up") as https_session:
        answer = https_session.exchange("POST", "/x", body=b"abc", max_answer_bytes=10)
        assert (answer.status, answer.body) == (200, b"hello")
        https_session.exchange("GET", "/y", max_answer_bytes=10)
    assert [(entry[0], entry[1], entry[3]) for entry in Mirror.seen] == [
        ("POST", "/up/x", b"abc"),
        ("GET", "/up/y", b""),
    ]
    assert Mirror.seen[0][2]["Host"] == f"localhost:{mirror.port}"


def test_a_redirect_is_not_followed(mirror: HttpsServer, context: ssl.SSLContext) -> None:
    with session(mirror.port, context) as https_session:
        assert https_session.exchange("GET", "/redirect", max_answer_bytes=10).status == 302
    assert [entry[1] for entry in Mirror.seen] == ["/redirect"]


def test_an_answer_that_is_too_large_is_refused(mirror: HttpsServer, context: ssl.SSLContext) -> None:
    with session(mirror.port, context) as https_session:
        assert len(https_session.exchange("GET", "/bytes/1000", max_answer_bytes=1000).body) == 1000
        with pytest.raises(RefusedError) as caught:
            https_session.exchange("GET", "/bytes/1001", max_answer_bytes=1000)
    assert caught.value.code == "too-large"


def test_a_proxy_from_the_environment_is_ignored(
    mirror: HttpsServer, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with session(mirror.port, context) as https_session:
        assert https_session.exchange("GET", "/", max_answer_bytes=10).status == 200


def test_a_certificate_of_another_authority_is_refused(mirror: HttpsServer, stranger: Authority) -> None:
    with (
        session(mirror.port, client_context(stranger.pem)) as https_session,
        pytest.raises(TroubleError, match="certificate that is not accepted") as caught,
    ):
        https_session.exchange("GET", "/")
    assert caught.value.code == "upload"
    assert Mirror.seen == []


def test_a_certificate_for_another_host_is_refused(authority: Authority, context: ssl.SSLContext) -> None:
    server = HttpsServer(Mirror, authority.issue("other", names=("other.example",), ips=("127.0.0.2",)))
    server.start()
    try:
        for host in ("localhost", "127.0.0.1"):
            with (
                session(server.port, context, host=host) as https_session,
                pytest.raises(TroubleError, match="certificate that is not accepted"),
            ):
                https_session.exchange("GET", "/")
    finally:
        server.stop()


def test_the_systems_authorities_are_not_trusted(context: ssl.SSLContext) -> None:
    assert len(context.get_ca_certs()) == 1
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_tls_below_1_2_is_refused(certificate: Certificate, context: ssl.SSLContext) -> None:
    old = certificate.server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is the point of this test
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plain, _ = listener.accept()
        with plain, pytest.raises(OSError):
            old.wrap_socket(plain, server_side=True)

    thread = threading.Thread(target=serve)
    thread.start()
    with (
        session(listener.getsockname()[1], context) as https_session,
        pytest.raises(TroubleError, match="does not answer as it should"),
    ):
        https_session.exchange("GET", "/")
    thread.join(5)
    listener.close()


def test_a_private_address_is_refused_before_anything_is_sent(context: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        for host in ("localhost", "127.0.0.1"):
            with (
                session(port, context, host=host, private=False) as https_session,
                pytest.raises(RefusedError) as caught,
            ):
                https_session.exchange("GET", "/")
            assert caught.value.code == "private-address"
        with pytest.raises(TimeoutError):
            listener.accept()


def test_the_judged_address_is_the_one_that_is_connected_to(
    mirror: HttpsServer, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that resolves to something public first and to this machine at the next look: DNS rebinding."""
    looks: list[str] = []
    connected: list[str] = []

    def resolve(host: str, port: int, **_more: object) -> list[object]:
        looks.append(host)
        address = "203.0.114.1" if len(looks) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address: tuple[str, int], _timeout_s: float) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with session(mirror.port, context, private=False) as https_session, pytest.raises(TroubleError):
        https_session.exchange("GET", "/")
    assert (looks, connected) == (["localhost"], ["203.0.114.1"])


def test_a_server_that_drips_its_head_is_cut_at_the_deadline(
    certificate: Certificate, context: ssl.SSLContext
) -> None:
    def drip(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(200):
            tls.sendall(b"y")
            time.sleep(0.05)

    with raw_server(certificate, drip) as port, session(port, context) as https_session:
        began = time.monotonic()
        with pytest.raises(TroubleError):
            https_session.exchange("GET", "/", deadline_s=0.5)
        assert time.monotonic() - began < 3


def test_a_server_that_accepts_and_says_nothing_is_left_at_the_deadline(context: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        began = time.monotonic()
        with session(port, context) as https_session, pytest.raises(TroubleError):
            https_session.exchange("GET", "/", deadline_s=0.5)
        assert time.monotonic() - began < 3


def test_a_server_that_says_continue_for_ever_is_cut_at_the_deadline(
    certificate: Certificate, context: ssl.SSLContext
) -> None:
    def stall(tls: ssl.SSLSocket) -> None:
        for _ in range(200):
            tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.05)

    with (
        raw_server(certificate, stall) as port,
        session(port, context) as https_session,
        pytest.raises(TroubleError),
    ):
        https_session.exchange("GET", "/", deadline_s=0.5)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0" * 100,
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=range(9),
)
def test_an_answer_that_is_none_is_trouble_and_not_a_traceback(
    certificate: Certificate, context: ssl.SSLContext, said: bytes
) -> None:
    with (
        raw_server(certificate, lambda tls: tls.sendall(said)) as port,
        session(port, context) as https_session,
        pytest.raises((TroubleError, RefusedError)) as caught,
    ):
        https_session.exchange("GET", "/", max_answer_bytes=20, deadline_s=3)
    assert "\n" not in str(caught.value)
    assert "SSH" not in str(caught.value)


def test_a_compressed_bomb_stays_compressed(certificate: Certificate, context: ssl.SSLContext) -> None:
    import gzip  # noqa: PLC0415 - here alone

    bomb = gzip.compress(bytes(10_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with raw_server(certificate, lambda tls: tls.sendall(head + bomb)) as port, session(port, context) as one:
        assert one.exchange("GET", "/", max_answer_bytes=len(bomb)).body == bomb


def test_nobody_listening_is_trouble_in_one_line(context: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with session(port, context) as https_session, pytest.raises(TroubleError) as caught:
        https_session.exchange("GET", "/")
    assert str(caught.value) == "the upload server does not answer as it should (Connection refused)"


def test_an_unknown_name_is_trouble_in_one_line(context: ssl.SSLContext) -> None:
    with session(443, context, host="nowhere.invalid") as https_session, pytest.raises(TroubleError) as caught:
        https_session.exchange("GET", "/")
    assert "\n" not in str(caught.value)


def test_abort_cuts_an_exchange_and_forbids_the_next(certificate: Certificate, context: ssl.SSLContext) -> None:
    with raw_server(certificate, lambda _: time.sleep(1)) as port, session(port, context) as https_session:
        threading.Timer(0.2, https_session.abort).start()
        began = time.monotonic()
        with pytest.raises(TroubleError):
            https_session.exchange("GET", "/")
        assert time.monotonic() - began < 0.9
        with pytest.raises(TroubleError, match="OSError"):
            https_session.exchange("GET", "/")


def test_abort_while_it_connects_lets_nothing_out(
    mirror: HttpsServer, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = socket.create_connection
    with session(mirror.port, context) as https_session:

        def connect_slowly(address: tuple[str, int], timeout_s: float) -> socket.socket:
            tcp = connect(address, timeout_s)
            https_session.abort()
            return tcp

        monkeypatch.setattr(socket, "create_connection", connect_slowly)
        with pytest.raises(TroubleError):
            https_session.exchange("POST", "/x", body=b"film", max_answer_bytes=10)
    assert Mirror.seen == []


def test_no_descriptor_leaks(mirror: HttpsServer, context: ssl.SSLContext) -> None:
    def one(path: str) -> None:
        with session(mirror.port, context) as https_session:
            try:
                https_session.exchange("GET", path, max_answer_bytes=10)
            except RefusedError:
                return

    one("/")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted before the folder is closed
    for path in ("/", "/redirect", "/bytes/100") * 10:
        one(path)
    time.sleep(0.2)
    assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208 - as above
