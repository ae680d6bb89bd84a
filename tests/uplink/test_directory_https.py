"""Directory bytes: a closed set of paths below one URL, bounded in size."""

import contextlib
import ssl
import time
from collections.abc import Iterator

import pytest

from agent.core.directory_paths import MAX_TARGETS_BYTES, MAX_TIMESTAMP_BYTES, ceiling_of
from agent.core.errors import ConfigError, RefusedError, TroubleError
from agent.services.vault.uplink_desk import FETCH_TIMEOUT_S
from agent.uplink import directory_https
from agent.uplink.directory_https import DirectoryFetcher
from agent.uplink.tls import client_context
from demo.agency import Agency
from demo.certs import Authority, Certificate
from demo.directory import Directory
from demo.directory_server import DirectoryServer
from demo.https_server import HttpsServer, QuietHandler
from demo.keys import SignKey


@pytest.fixture
def server(certificate: Certificate) -> Iterator[DirectoryServer]:
    directory = Directory(
        now_s=int(time.time()),
        dispatch=[SignKey()],
        receipt=[SignKey()],
        endpoints={},
        agencies=[Agency().directory_file()],
    )
    server = DirectoryServer(directory, certificate)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fetcher(server: DirectoryServer, context: ssl.SSLContext) -> DirectoryFetcher:
    return DirectoryFetcher(server.url, context)


def test_every_file_of_a_real_repository_can_be_fetched(
    server: DirectoryServer, fetcher: DirectoryFetcher
) -> None:
    paths = [path for path in server.directory.files if path != "metadata/root.json"]
    assert len(paths) >= 8
    for path in paths:
        assert fetcher.fetch(path, MAX_TARGETS_BYTES) == server.directory.files[path]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/metadata/timestamp.json",
        "metadata/../secrets.json",
        "metadata/timestamp.json?x=1",
        "metadata/timestamp.json#x",
        "metadata/timestamp.json\r\nX: y",
        "metadata/%2e%2e/x.json",
        "metadata/sub/timestamp.json",
        "metadata/0.root.json",
        "targets/other.json",
        "targets/agencies/../platform.json",
        "targets/agencies/UPPER.json",
        "targets/regions/9q8y.json",
        "targets/regions/aaa.json",
        "targets/" + "f" * 63 + ".platform.json",
        "https://evil.example/metadata/timestamp.json",
        "metadata/timestamp.json\n",
    ],
)
def test_no_other_path_is_asked_for(server: DirectoryServer, fetcher: DirectoryFetcher, path: str) -> None:
    with pytest.raises(RefusedError) as caught:
        fetcher.fetch(path, MAX_TARGETS_BYTES)
    assert caught.value.code == "directory-path"
    assert not server.requests


def test_a_role_may_have_any_name_that_the_vault_asks_for(
    server: DirectoryServer, fetcher: DirectoryFetcher
) -> None:
    for path in ("metadata/3.Region_7.json", "metadata/0-9.json", "metadata/7.bin-0a.json"):
        server.replaced[path] = b"{}"
        assert fetcher.fetch(path, ceiling_of(path)) == b"{}"


def test_a_missing_file_is_not_found(fetcher: DirectoryFetcher) -> None:
    with pytest.raises(RefusedError) as caught:
        fetcher.fetch("metadata/2.root.json", MAX_TARGETS_BYTES)
    assert caught.value.code == "not-found"


def test_a_file_larger_than_asked_for_is_refused(server: DirectoryServer, fetcher: DirectoryFetcher) -> None:
    body = server.directory.files["metadata/timestamp.json"]
    assert fetcher.fetch("metadata/timestamp.json", len(body)) == body
    with pytest.raises(RefusedError) as caught:
        fetcher.fetch("metadata/timestamp.json", len(body) - 1)
    assert caught.value.code == "too-large"


def test_no_file_is_larger_than_the_protocols_largest(server: DirectoryServer, fetcher: DirectoryFetcher) -> None:
    server.replaced["metadata/timestamp.json"] = bytes(MAX_TIMESTAMP_BYTES + 1)
    with pytest.raises(RefusedError) as caught:
        fetcher.fetch("metadata/timestamp.json", 10 * MAX_TARGETS_BYTES)
    assert caught.value.code == "too-large"


def test_a_directory_that_is_down_is_trouble(server: DirectoryServer, fetcher: DirectoryFetcher) -> None:
    server.stop()
    with pytest.raises(TroubleError) as caught:
        fetcher.fetch("metadata/timestamp.json", MAX_TARGETS_BYTES)
    assert caught.value.code == "directory"


def test_a_directory_of_another_authority_is_trouble(server: DirectoryServer, stranger: Authority) -> None:
    with pytest.raises(TroubleError, match="certificate"):
        DirectoryFetcher(server.url, client_context(stranger.pem)).fetch(
            "metadata/timestamp.json", MAX_TARGETS_BYTES
        )
    assert not server.requests


def test_plain_http_is_no_directory(context: ssl.SSLContext) -> None:
    with pytest.raises(ConfigError, match="https://"):
        DirectoryFetcher("http://127.0.0.1:8080", context)


def test_a_directory_that_drips_is_given_up_before_the_vault_stops_waiting(
    certificate: Certificate, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dripping(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(60):
                    self.wfile.write(b"x")
                    time.sleep(0.1)

    assert directory_https.FETCH_S < FETCH_TIMEOUT_S
    monkeypatch.setattr(directory_https, "FETCH_S", 0.5)
    server = HttpsServer(Dripping, certificate)
    server.start()
    try:
        began = time.monotonic()
        with pytest.raises(TroubleError) as caught:
            DirectoryFetcher(f"https://localhost:{server.port}", context).fetch("metadata/timestamp.json", 100)
        assert caught.value.code == "directory"
        assert time.monotonic() - began < 3
    finally:
        server.stop()


@pytest.mark.parametrize("status", [301, 302, 500, 503])
def test_any_other_answer_is_trouble(certificate: Certificate, context: ssl.SSLContext, status: int) -> None:
    class Busy(QuietHandler):
        def do_GET(self) -> None:
            self.answer(status, headers={"Location": "/elsewhere"})

    server = HttpsServer(Busy, certificate)
    server.start()
    try:
        with pytest.raises(TroubleError, match=f"answers {status}"):
            DirectoryFetcher(f"https://localhost:{server.port}", context).fetch("metadata/timestamp.json", 10)
    finally:
        server.stop()
