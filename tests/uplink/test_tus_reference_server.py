"""Uploads against the reference implementation of tus, the npm package @tus/server."""

import hashlib
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import TroubleError
from agent.core.ids import new_id, sha256_hex
from agent.core.segment_file import MAGIC
from agent.uplink.addresses import HttpsAddress
from agent.uplink.sealed_fd import SealedFile
from agent.uplink.tus import Stop, TusClient, Upload
from demo.certs import Certificate
from tests.uplink.recording_proxy import RecordingProxy

HERE = Path(__file__).parent / "tus_server"
BODY = MAGIC + os.urandom(1_500_000)
INSTALL_S = 120


@pytest.fixture(scope="session")
def installed() -> Path:
    """The server with its dependencies, installed once into a cache outside the repository."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("node and npm are not installed")
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", tempfile.gettempdir())) / f"doorbell-tus-server-{lock}"
    if not (cache / "node_modules" / "@tus" / "server").is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, cache)
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=cache,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(cache)
            pytest.skip("npm can't install @tus/server here")
    return cache


class Reference:
    """The server as a child; it keeps its folder over a restart, but not its port."""

    def __init__(self, installed: Path, certificate: Certificate, folder: Path) -> None:
        self._installed, self._certificate, self.folder = installed, certificate, folder
        folder.mkdir()
        self.port = 0

    def start(self) -> None:
        program = self._installed / "server.mjs"
        shutil.copy(HERE / "server.mjs", program)
        self.child = subprocess.Popen(
            ["node", str(program), str(self._certificate.cert), str(self._certificate.key), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.child.stdout is not None
        self.port = int(self.child.stdout.readline())

    def stop(self) -> None:
        self.child.communicate("", timeout=10)


@pytest.fixture
def reference(installed: Path, certificate: Certificate, tmp_path: Path) -> Iterator[Reference]:
    reference = Reference(installed, certificate, tmp_path / "uploads")
    reference.start()
    yield reference
    reference.stop()


@pytest.fixture
def proxy(reference: Reference) -> Iterator[RecordingProxy]:
    proxy = RecordingProxy(reference.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "a.seg"
    path.write_bytes(BODY)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


class Attempt:
    def __init__(self, context: ssl.SSLContext, fd: int) -> None:
        self.client = TusClient(context, private_addresses=True)
        self.fd = fd
        self.created: list[str] = []
        self.progress: list[int] = []

    def run(self, port: int, location: str | None = None) -> str:
        sha256 = sha256_hex(BODY)
        return self.client.upload(
            HttpsAddress("localhost", port, "/up"),
            Upload(SealedFile(self.fd, len(BODY), sha256), new_id(), new_id(), sha256, location),
            on_created=self.created.append,
            on_progress=self.progress.append,
            stop=Stop(),
        )


@pytest.fixture
def attempt(context: ssl.SSLContext, fd: int) -> Attempt:
    return Attempt(context, fd)


def test_a_segment_arrives_whole(attempt: Attempt, reference: Reference) -> None:
    location = attempt.run(reference.port)
    assert (reference.folder / location).read_bytes() == BODY


def test_an_upload_that_is_cut_in_the_middle_of_a_part_resumes(
    attempt: Attempt, reference: Reference, proxy: RecordingProxy
) -> None:
    proxy.cut_after_bytes = 700_000
    with pytest.raises(TroubleError):
        attempt.run(proxy.port)
    (location,) = attempt.created
    attempt.progress.clear()
    proxy.forget()
    assert attempt.run(proxy.port, location) == location
    assert (reference.folder / location).read_bytes() == BODY
    assert attempt.progress[0] >= 262_144
    again = sum(one.size for one in proxy.crossings("out"))
    assert again < len(BODY) - attempt.progress[0] + 20_000, "what the server has is not sent again"


def test_an_upload_survives_a_restart_of_the_server(
    attempt: Attempt, reference: Reference, proxy: RecordingProxy
) -> None:
    proxy.cut_after_bytes = 700_000
    with pytest.raises(TroubleError):
        attempt.run(proxy.port)
    reference.stop()
    reference.start()
    location = attempt.created[0]
    assert attempt.run(reference.port, location) == location
    assert (reference.folder / location).read_bytes() == BODY


def test_an_upload_that_the_server_lost_starts_again(attempt: Attempt, reference: Reference) -> None:
    lost = attempt.run(reference.port)
    for path in reference.folder.glob(f"{lost}*"):
        path.unlink()
    location = attempt.run(reference.port, lost)
    assert location != lost
    assert (reference.folder / location).read_bytes() == BODY


def test_discard_removes_what_was_uploaded(attempt: Attempt, reference: Reference) -> None:
    location = attempt.run(reference.port)
    attempt.client.discard(HttpsAddress("localhost", reference.port, "/up"), [location, "unknown-01"])
    assert not (reference.folder / location).exists()
