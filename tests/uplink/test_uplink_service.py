"""`doorbell uplink` as a process: real broker, directory and upload server, and a vault that asks."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import new_id, sha256_hex
from agent.core.segment_file import MAGIC
from demo.agency import Agency
from demo.broker import DEVICE, PASSWORDS, Broker
from demo.certs import Authority, Certificate
from demo.directory import Directory
from demo.directory_server import DirectoryServer
from demo.dispatch import Publisher
from demo.keys import SignKey
from demo.upload_server import Fault, UploadServer
from tests.fakes.uplink_vault import FakeVault

pytestmark = pytest.mark.broker

BODY = MAGIC + os.urandom(600_000)
RUN = """
import sys
from pathlib import Path
from agent.config import load_config
from agent.services.uplink import main
sys.exit(main(load_config(Path(sys.argv[1]))))
"""


class Town:
    """Broker, directory, upload server, vault, and uplink as a child."""

    def __init__(self, folder: Path, authority: Authority, certificate: Certificate) -> None:
        self.folder = folder
        self.broker = Broker(folder / "broker", certificate)
        self.broker.start()
        self.uploads = UploadServer(folder / "bundles", certificate, SignKey())
        self.uploads.start()
        self.directory = DirectoryServer(
            Directory(
                now_s=int(time.time()),
                dispatch=[SignKey()],
                receipt=[SignKey()],
                endpoints={"ep1": self.uploads.endpoint},
                agencies=[Agency().directory_file()],
            ),
            certificate,
        )
        self.directory.start()
        self.publisher = Publisher(self.broker, authority.pem)
        self.publisher.start()
        self.vault = FakeVault(folder)
        (folder / "password").write_text(PASSWORDS[DEVICE])
        (folder / "root.json").write_bytes(self.directory.directory.root_json)
        (folder / "doorbell.toml").write_text(f"""
            [device]
            location = [37.7749, -122.4194]
            state_dir = "state"
            run_dir = "."
            [camera]
            source = "scene:porch"
            [platform]
            broker = "{self.broker.url}"
            directory = "{self.directory.url}"
            ca = "{authority.pem}"
            root = "root.json"
            username = "{DEVICE}"
            password_file = "password"
            private_addresses = true
        """)
        self.child = self.launch()

    def launch(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.folder / "doorbell.toml")], stderr=subprocess.PIPE, text=True
        )

    def upload(self, fd: int, **more: Any) -> Any:
        args = {
            "request": new_id(),
            "segment": new_id(),
            "sha256": sha256_hex(BODY),
            "bytes": len(BODY),
            "location": None,
            "endpoint": self.uploads.endpoint,
        }
        return self.vault.ask("upload", args | more, fds=(fd,))

    def stop(self) -> str:
        self.child.send_signal(signal.SIGTERM)
        _, errors = self.child.communicate(timeout=10)
        self.vault.stop()
        self.publisher.stop()
        self.directory.stop()
        self.uploads.stop()
        self.broker.stop()
        return errors


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    authority = Authority(folder / "ca")
    town = Town(folder, authority, authority.issue("server"))
    yield town
    errors = town.stop()
    assert town.child.returncode == 0
    assert "Traceback" not in errors


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "a.seg"
    path.write_bytes(BODY)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


def test_it_says_hello_and_that_the_broker_is_up(town: Town) -> None:
    town.vault.heard("hello")
    town.vault.heard("broker", state="up", why="")


def test_a_message_reaches_the_vault_byte_for_byte(town: Town) -> None:
    town.vault.heard("broker", state="up")
    body = b'{"payloadType":"x"}' * 1000
    town.publisher.publish("req", ["9q8y"], "a" * 32, body, life_s=5)
    town.vault.until(lambda told: ("message", {"kind": "req"}, body) in told)


def test_subscribe_brings_what_is_retained_again(town: Town) -> None:
    town.vault.heard("broker", state="up")
    town.publisher.publish("alert", ["9q8y"], "b" * 32, b"again", life_s=60)
    town.vault.until(lambda told: told.count(("message", {"kind": "alert"}, b"again")) == 1)
    town.vault.ask("subscribe", {"client_id": "ab" * 16, "topics": ["db/1/alert/9q8y/+"]})
    town.vault.until(lambda told: told.count(("message", {"kind": "alert"}, b"again")) == 2)


def test_a_message_that_the_vault_refuses_stops_nothing(town: Town) -> None:
    town.vault.heard("broker", state="up")
    town.vault.refuse.add("message")
    town.publisher.publish("alert", ["9q8y"], "c" * 32, b"refused", life_s=2)
    town.vault.until(lambda told: ("message", {"kind": "alert"}, b"refused") in told)
    town.vault.refuse.clear()
    town.publisher.publish("alert", ["9q8y"], "d" * 32, b"taken", life_s=2)
    town.vault.until(lambda told: ("message", {"kind": "alert"}, b"taken") in told)


def test_fetch_gives_directory_bytes(town: Town) -> None:
    town.vault.heard("hello")
    answer = town.vault.ask("fetch", {"path": "metadata/timestamp.json", "max_bytes": 16_384})
    assert answer.blob == town.directory.directory.files["metadata/timestamp.json"]
    with pytest.raises(RefusedError) as caught:
        town.vault.ask("fetch", {"path": "metadata/9.root.json", "max_bytes": 16_384})
    assert caught.value.code == "not-found"


def test_an_upload_sends_exactly_the_file_and_tells_how_far_it_is(town: Town, fd: int) -> None:
    town.vault.heard("hello")
    answer = town.upload(fd)
    location = answer.args["location"]
    assert bytes(town.uploads.uploads[location].data) == BODY
    created = next(args for verb, args, _ in town.vault.told if verb == "created")
    assert created["location"] == location
    town.vault.heard("progress", sent=len(BODY), total=len(BODY))


def test_an_upload_that_broke_off_resumes(town: Town, fd: int) -> None:
    town.vault.heard("hello")
    town.uploads.faults.append(Fault("PATCH", "drop", after_bytes=1000))
    seen = len(town.vault.told)
    with pytest.raises(TroubleError) as caught:
        town.upload(fd)
    assert caught.value.code == "upload"
    location = next(args["location"] for verb, args, _ in town.vault.told[seen:] if verb == "created")
    assert town.upload(fd, location=location).args["location"] == location
    assert bytes(town.uploads.uploads[location].data) == BODY


def test_a_file_that_is_not_the_approved_one_is_not_sent(town: Town, fd: int, tmp_path: Path) -> None:
    town.vault.heard("hello")
    before = len(town.uploads.requests)
    with pytest.raises(RefusedError) as caught:
        town.upload(fd, sha256=sha256_hex(b"other"))
    assert caught.value.code == "segment"
    with pytest.raises(RefusedError):
        town.upload(fd, bytes=len(BODY) - 1)
    writable = os.open(tmp_path / "a.seg", os.O_RDWR)
    try:
        with pytest.raises(RefusedError):
            town.upload(writable)
    finally:
        os.close(writable)
    assert len(town.uploads.requests) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"request": "x"},
        {"segment": None},
        {"sha256": "zz"},
        {"bytes": "1"},
        {"location": "../../etc"},
        {"location": 7},
        {"endpoint": {}},
        {"endpoint": {"host": "localhost", "port": 1, "base": "/../x"}},
    ],
)
def test_arguments_of_another_form_are_refused(town: Town, fd: int, wrong: dict[str, Any]) -> None:
    town.vault.heard("hello")
    with pytest.raises(RefusedError):
        town.upload(fd, **wrong)


def test_an_upload_without_its_one_descriptor_is_refused(town: Town, fd: int) -> None:
    town.vault.heard("hello")
    args = {"request": new_id(), "segment": new_id(), "sha256": sha256_hex(BODY), "bytes": len(BODY)}
    args |= {"location": None, "endpoint": town.uploads.endpoint}
    for fds in ((), (fd, fd)):
        with pytest.raises(RefusedError):
            town.vault.ask("upload", args, fds=fds)


def test_stop_upload_cuts_a_running_upload(town: Town, fd: int) -> None:
    town.vault.heard("hello")
    town.uploads.faults.append(Fault("PATCH", "slow", wait_s=2.0))
    request = new_id()
    timer = threading.Timer(0.5, lambda: town.vault.ask("stop_upload", {"request": request}))
    timer.start()
    began = time.monotonic()
    with pytest.raises(RefusedError) as caught:
        town.upload(fd, request=request)
    assert caught.value.code == "stopped"
    assert time.monotonic() - began < 1.8
    timer.join()


def test_submit_and_discard_reach_the_server(town: Town, fd: int) -> None:
    town.vault.heard("hello")
    with pytest.raises(TroubleError, match="400"):
        town.vault.ask("submit", {"endpoint": town.uploads.endpoint}, blob=b"{}")
    location = str(town.upload(fd).args["location"])
    town.vault.ask("discard", {"endpoint": town.uploads.endpoint, "locations": [location, "unknown-01"]})
    assert location in town.uploads.deleted


def test_an_unknown_verb_is_refused(town: Town) -> None:
    town.vault.heard("hello")
    with pytest.raises(RefusedError) as caught:
        town.vault.ask("publish", {"topic": "db/1/req/9q8y/x"})
    assert caught.value.code == "verb"


def test_it_writes_no_file_and_keeps_no_descriptor(town: Town, fd: int) -> None:
    town.vault.heard("hello")
    folder = f"/proc/{town.child.pid}/fd"
    town.upload(fd)
    before = len(os.listdir(folder))  # noqa: PTH208 - counted at one moment
    files = {path for path in town.folder.rglob("*") if "broker" not in path.parts}
    for _ in range(5):
        town.upload(fd)
    assert len(os.listdir(folder)) <= before + 1  # noqa: PTH208 - as above
    assert {path for path in town.folder.rglob("*") if "broker" not in path.parts} == files


def test_it_ends_when_the_vault_is_gone_and_waits_for_one_at_the_start(town: Town, tmp_path: Path) -> None:
    config = tmp_path / "doorbell.toml"
    text = (town.folder / "doorbell.toml").read_text()
    for name in ("root.json", "password"):
        text = text.replace(f'"{name}"', f'"{town.folder / name}"')
    config.write_text(text)
    child = subprocess.Popen([sys.executable, "-c", RUN, str(config)], stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    assert child.poll() is None, "no vault yet: it waits"
    vault = FakeVault(tmp_path)
    vault.heard("hello")
    vault.stop()
    _, errors = child.communicate(timeout=10)
    assert child.returncode == 1
    assert "Traceback" not in errors
    assert PASSWORDS[DEVICE] not in errors
