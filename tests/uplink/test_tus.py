"""Uploads over tus against the demo's server, with everything that a network and a server can do wrong."""

import os
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, new_id, sha256_hex
from agent.core.segment_file import MAGIC
from agent.uplink.sealed_fd import SealedFile
from agent.uplink.tus import MAX_RECEIPT_BYTES, Stop, TusClient, Upload, endpoint_address
from demo.certs import Certificate
from demo.https_server import HttpsServer, QuietHandler
from demo.keys import SignKey
from demo.upload_server import Fault, UploadServer

BODY = MAGIC + os.urandom(100_000)
PATCH_BYTES = 16_384


@pytest.fixture
def server(tmp_path: Path, certificate: Certificate) -> Iterator[UploadServer]:
    server = UploadServer(tmp_path / "bundles", certificate, SignKey())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(context: ssl.SSLContext) -> TusClient:
    return TusClient(context, private_addresses=True, patch_bytes=PATCH_BYTES)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "a.seg"
    path.write_bytes(BODY)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


class Attempt:
    """One upload of the file and what was told meanwhile."""

    def __init__(self, client: TusClient, fd: int, endpoint: dict[str, Any]) -> None:
        self.client, self.fd, self.endpoint = client, fd, endpoint
        self.created: list[str] = []
        self.progress: list[int] = []
        self.stop = Stop()
        self.request, self.segment = new_id(), new_id()

    def run(self, location: str | None = None) -> str:
        sha256 = sha256_hex(BODY)
        upload = Upload(SealedFile(self.fd, len(BODY), sha256), self.request, self.segment, sha256, location)
        return self.client.upload(
            endpoint_address(self.endpoint),
            upload,
            on_created=self.created.append,
            on_progress=self.progress.append,
            stop=self.stop,
        )


@pytest.fixture
def attempt(client: TusClient, fd: int, server: UploadServer) -> Attempt:
    return Attempt(client, fd, server.endpoint)


def test_a_segment_arrives_whole_with_its_metadata(attempt: Attempt, server: UploadServer) -> None:
    location = attempt.run()
    stored = server.uploads[location]
    assert bytes(stored.data) == BODY
    assert stored.metadata == {
        "request": attempt.request,
        "segment": attempt.segment,
        "sha256": sha256_hex(BODY),
    }
    assert attempt.created == [location]
    assert attempt.progress == [*range(0, len(BODY), PATCH_BYTES), len(BODY)]


def test_an_interrupted_upload_resumes_where_the_server_has_got_to(attempt: Attempt, server: UploadServer) -> None:
    server.faults.append(Fault("PATCH", "drop", after_bytes=5_000))
    with pytest.raises(TroubleError) as caught:
        attempt.run()
    assert caught.value.code == "upload"
    (location,) = attempt.created
    assert len(server.uploads[location].data) == 5_000
    attempt.progress.clear()
    assert attempt.run(location) == location
    assert attempt.progress[0] == 5_000
    assert attempt.created == [location]
    assert bytes(server.uploads[location].data) == BODY


def test_a_complete_upload_is_not_sent_again(attempt: Attempt, server: UploadServer) -> None:
    location = attempt.run()
    server.requests.clear()
    assert attempt.run(location) == location
    assert list(server.requests) == [f"HEAD /up/files/{location}"]


def test_an_upload_that_the_server_forgot_starts_again(attempt: Attempt, server: UploadServer) -> None:
    location = attempt.run("forgotten-0123")
    assert attempt.created == [location] != ["forgotten-0123"]
    assert bytes(server.uploads[location].data) == BODY


def test_an_upload_that_is_forgotten_on_the_way_starts_again(attempt: Attempt, server: UploadServer) -> None:
    server.faults.append(Fault("PATCH", "forget"))
    location = attempt.run()
    assert len(attempt.created) == 2
    assert bytes(server.uploads[location].data) == BODY


def test_a_server_that_forgets_always_is_trouble_and_not_a_loop(attempt: Attempt, server: UploadServer) -> None:
    server.faults.extend([Fault("PATCH", "forget")] * 10)
    with pytest.raises(TroubleError, match="forgets"):
        attempt.run()


def test_410_starts_again_like_404(attempt: Attempt, server: UploadServer) -> None:
    server.faults.append(Fault("HEAD", "status", status=410))
    assert attempt.run("location-0123") == attempt.created[0]


def test_a_server_that_is_elsewhere_is_asked_and_followed(attempt: Attempt, server: UploadServer) -> None:
    server.faults.append(Fault("PATCH", "status", status=409))
    assert bytes(server.uploads[attempt.run()].data) == BODY


def test_a_server_that_never_agrees_is_trouble_and_not_a_loop(attempt: Attempt, server: UploadServer) -> None:
    server.faults.extend([Fault("PATCH", "status", status=409)] * 10)
    with pytest.raises(TroubleError, match="agree"):
        attempt.run()


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 403, 500, 503])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH"])
def test_any_other_answer_ends_the_attempt(
    attempt: Attempt, server: UploadServer, method: str, status: int
) -> None:
    location = attempt.run() if method == "HEAD" else None
    server.requests.clear()
    server.faults.append(Fault(method, "status", status=status))
    with pytest.raises(TroubleError, match=str(status)):
        attempt.run(location)
    assert len(server.requests) == (2 if method == "PATCH" else 1)


def test_an_upload_of_another_length_under_that_name_is_not_gone_on_with(
    attempt: Attempt, server: UploadServer
) -> None:
    location = attempt.run()
    server.uploads[location].length += 1
    assert attempt.run(location) != location


def test_a_file_that_was_not_approved_never_reaches_the_network(
    attempt: Attempt, server: UploadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.uplink.test_tus.BODY", BODY[:-1] + bytes([BODY[-1] ^ 1]))
    with pytest.raises(RefusedError) as caught:
        attempt.run()
    assert caught.value.code == "segment"
    assert not server.requests


def test_a_stop_in_the_middle_of_a_part_takes_effect_at_once(attempt: Attempt, server: UploadServer) -> None:
    server.faults.append(Fault("PATCH", "slow", wait_s=1.5))
    threading.Timer(0.3, attempt.stop.set).start()
    began = time.monotonic()
    with pytest.raises(RefusedError) as caught:
        attempt.run()
    assert caught.value.code == "stopped"
    assert time.monotonic() - began < 1.2


def test_nothing_is_sent_after_a_stop(attempt: Attempt, server: UploadServer) -> None:
    attempt.stop.set()
    with pytest.raises(RefusedError) as caught:
        attempt.run()
    assert caught.value.code == "stopped"
    assert not server.requests


def test_the_bytes_go_to_the_endpoint_whatever_location_says(
    client: TusClient, fd: int, certificate: Certificate
) -> None:
    paths: list[str] = []

    class Elsewhere(QuietHandler):
        def do_POST(self) -> None:
            paths.append(f"{self.command} {self.path}")
            self.answer(201, headers={"Location": "https://evil.example/steal/abcdefgh1234"})

        def do_PATCH(self) -> None:
            paths.append(f"{self.command} {self.path}")
            got = int(self.headers["Upload-Offset"]) + len(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(204, headers={"Upload-Offset": str(got)})

    elsewhere = HttpsServer(Elsewhere, certificate)
    elsewhere.start()
    try:
        run = Attempt(client, fd, {"host": "localhost", "port": elsewhere.port, "base": "/up"})
        assert run.run() == "abcdefgh1234"
    finally:
        elsewhere.stop()
    assert paths == ["POST /up/files/"] + ["PATCH /up/files/abcdefgh1234"] * 7


def answering(certificate: Certificate, handlers: dict[str, Callable[[QuietHandler], None]]) -> HttpsServer:
    methods = {f"do_{method}": handler for method, handler in handlers.items()}
    return HttpsServer(type("Answering", (QuietHandler,), methods), certificate)


@pytest.mark.parametrize("location", ["", "/up/files/", "/up/files/short", "/up/files/abcdefgh?x"])
def test_a_location_that_names_no_upload_is_refused(
    client: TusClient, fd: int, certificate: Certificate, location: str
) -> None:
    server = answering(certificate, {"POST": lambda h: h.answer(201, headers={"Location": location})})
    server.start()
    try:
        with pytest.raises(RefusedError) as caught:
            Attempt(client, fd, {"host": "localhost", "port": server.port, "base": ""}).run()
    finally:
        server.stop()
    assert caught.value.code == "location"


@pytest.mark.parametrize("offset", ["", "-1", "1e3", "9" * 40, str(len(BODY) + 1), "٣", "abc"])
def test_an_offset_that_can_not_be_is_trouble(
    client: TusClient, fd: int, certificate: Certificate, offset: str
) -> None:
    server = answering(
        certificate,
        {"HEAD": lambda h: h.answer(200, headers={"Upload-Offset": offset.encode().decode("latin-1")})},
    )
    server.start()
    try:
        with pytest.raises(TroubleError, match="how much"):
            Attempt(client, fd, {"host": "localhost", "port": server.port, "base": ""}).run("abcdefgh")
    finally:
        server.stop()


def test_discard_deletes_and_does_not_mind_what_is_gone(
    attempt: Attempt, client: TusClient, server: UploadServer
) -> None:
    location = attempt.run()
    client.discard(endpoint_address(server.endpoint), ["unknown-01", location])
    assert server.deleted == [location]
    assert not server.uploads


def test_discard_tries_all_and_says_when_one_failed(
    attempt: Attempt, client: TusClient, server: UploadServer
) -> None:
    first, second = attempt.run(), attempt.run()
    server.faults.append(Fault("DELETE", "status", status=500))
    with pytest.raises(TroubleError, match="500"):
        client.discard(endpoint_address(server.endpoint), [first, second])
    assert server.deleted == [second]


def test_discard_ends_where_the_server_takes_too_long_for_all_of_them(
    attempt: Attempt, client: TusClient, server: UploadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = attempt.run(), attempt.run()
    monkeypatch.setattr("agent.uplink.tus.DISCARD_S", 0.0)
    with pytest.raises(TroubleError, match="too slowly"):
        client.discard(endpoint_address(server.endpoint), [first, second])
    assert server.deleted == []


def test_discard_takes_only_the_protocols_names(client: TusClient, server: UploadServer) -> None:
    with pytest.raises(RefusedError):
        client.discard(endpoint_address(server.endpoint), ["../submissions"])
    assert not server.requests


def test_a_submission_that_is_none_is_not_taken(client: TusClient, server: UploadServer) -> None:
    with pytest.raises(TroubleError, match="400"):
        client.submit(endpoint_address(server.endpoint), b"{}")


def test_a_receipt_is_bounded_in_size(client: TusClient, certificate: Certificate) -> None:
    def answer(handler: QuietHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.answer(200, bytes(MAX_RECEIPT_BYTES + 1))

    server = answering(certificate, {"POST": answer})
    server.start()
    try:
        with pytest.raises(RefusedError) as caught:
            client.submit(endpoint_address({"host": "localhost", "port": server.port, "base": ""}), b"{}")
    finally:
        server.stop()
    assert caught.value.code == "too-large"


def test_a_submission_is_bounded_in_size(client: TusClient, server: UploadServer) -> None:
    with pytest.raises(RefusedError):
        client.submit(endpoint_address(server.endpoint), bytes(4_194_305))
    assert not server.requests


def test_a_private_upload_server_is_refused_unless_it_is_allowed(
    context: ssl.SSLContext, fd: int, server: UploadServer
) -> None:
    with pytest.raises(RefusedError) as caught:
        Attempt(TusClient(context, private_addresses=False), fd, server.endpoint).run()
    assert caught.value.code == "private-address"
    assert not server.requests


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        {},
        {"host": "up.example", "port": 443},
        {"host": "up.example", "port": 443, "base": "/up", "more": 1},
        {"host": "up example", "port": 443, "base": ""},
        {"host": "up.example\r\nX: y", "port": 443, "base": ""},
        {"host": "up.example", "port": True, "base": ""},
        {"host": "up.example", "port": 0, "base": ""},
        {"host": "up.example", "port": 65536, "base": ""},
        {"host": "up.example", "port": "443", "base": ""},
        {"host": "up.example", "port": 443, "base": "up"},
        {"host": "up.example", "port": 443, "base": "/up/"},
        {"host": "up.example", "port": 443, "base": "/up/../x"},
        {"host": "up.example", "port": 443, "base": "/up?x"},
        {"host": "up.example", "port": 443, "base": "/up\r\nX: y"},
    ],
)
def test_an_endpoint_of_another_form_is_refused(endpoint: object) -> None:
    with pytest.raises(RefusedError) as caught:
        endpoint_address(endpoint)
    assert caught.value.code == "endpoint"


def test_the_metadata_is_base64_of_ascii_as_tus_wants_it(
    client: TusClient, fd: int, certificate: Certificate
) -> None:
    heads: list[dict[str, str]] = []

    def create(handler: QuietHandler) -> None:
        heads.append(dict(handler.headers.items()))
        handler.answer(500)

    server = answering(certificate, {"POST": create})
    server.start()
    try:
        run = Attempt(client, fd, {"host": "localhost", "port": server.port, "base": ""})
        run.request, run.segment = Id("a" * 32), Id("b" * 32)
        with pytest.raises(TroubleError):
            run.run()
    finally:
        server.stop()
    expected = [("request", "a" * 32), ("segment", "b" * 32), ("sha256", sha256_hex(BODY))]
    assert heads[0]["Upload-Metadata"] == ",".join(
        f"{key} {b64encode(value.encode()).decode()}" for key, value in expected
    )
    assert heads[0]["Upload-Length"] == str(len(BODY))
    assert heads[0]["Tus-Resumable"] == "1.0.0"
