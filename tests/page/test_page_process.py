"""`doorbell page` as a real process, over the real socket layer, with the fake vault at the other end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import urllib3

from tests.fakes.page_socket import VaultSocket
from tests.fakes.page_vault import PageVault
from tests.fakes.page_world import now_ms
from tests.page.phone import PhoneClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.argv[2], sys.argv[2:])
"""


class Process:
    """One page process; looks to a `PhoneClient` like the server in a thread."""

    def __init__(self, folder: Path, vault: PageVault, port: int, *, idle_s: int = 600) -> None:
        self.vault = vault
        self.port = port
        self.origin = f"https://localhost:{port}"
        context = ssl.create_default_context(cadata=vault.ca.pem)
        self.client = urllib3.PoolManager(ssl_context=context, retries=False, timeout=10)
        self.config = folder / "doorbell.toml"
        self.config.write_text(
            f"""
[device]
location = [37.7, -122.4]
state_dir = "state"
run_dir = "run"
clock = "host"
[camera]
source = "scene:porch"
[page]
host = "127.0.0.1"
port = {port}
names = ["localhost"]
idle_s = {idle_s}
[platform]
broker = "mqtt://127.0.0.1"
directory = "https://127.0.0.1/"
ca = "ca.pem"
root = "root.json"
"""
        )
        self.log = folder / "page.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, given: socket.socket | None = None) -> None:
        command = [sys.executable, "-m", "agent", "page", "--config", str(self.config)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if given is not None:
            # systemd hands the socket over as descriptor 3 and names the process that it is for.
            command = [sys.executable, "-c", AS_SYSTEMD, str(given.fileno()), *command]
        with self.log.open("ab") as out:
            fds = (given.fileno(),) if given is not None else ()
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=out, pass_fds=fds)

    def wait_until_it_answers(self) -> None:
        self.eventually(self._answers)

    def _answers(self) -> bool:
        try:
            return self.client.request("GET", self.origin + "/").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def eventually(self, holds: Callable[[], bool], within_s: float = 20.0) -> None:
        until = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < until, self.log.read_text()[-2000:]
            time.sleep(0.05)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def close(self) -> None:
        self.client.clear()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.fixture
def vault() -> PageVault:
    return PageVault()


@pytest.fixture
def page(tmp_path: Path, vault: PageVault) -> Iterator[Process]:
    """A page that was not started yet."""
    (tmp_path / "run").mkdir()
    with contextlib.closing(Process(tmp_path, vault, free_port())) as process:
        yield process


@pytest.fixture
def vault_socket(tmp_path: Path, page: Process) -> Iterator[VaultSocket]:
    with contextlib.closing(VaultSocket(tmp_path / "run" / "page.sock", page.vault)) as listening:
        yield listening


def logged_in(page: Process) -> PhoneClient:
    phone = PhoneClient(page)  # type: ignore[arg-type]  # it only needs vault, port, origin and client
    phone.pair()
    assert phone.log_in().status == 204
    return phone


def test_every_kind_of_verb_passes_the_socket(page: Process, vault_socket: VaultSocket) -> None:
    page.start()
    page.wait_until_it_answers()
    phone = logged_in(page)
    stored = page.vault.record(now_ms() - 600_000, segments=1, width=1280, height=720)[0]
    for n in range(1500):
        page.vault.note("segment", id=stored.meta.id, i=n)
    assert phone.json("/api/status")["recording"] is True
    entries = phone.json("/api/log?limit=512")["entries"]
    assert len(entries) == 512
    assert len(phone.get("/api/log?limit=512").data) > 40_000
    assert phone.get(f"/api/segments/{stored.meta.id}").data == stored.file
    assert phone.act("settings", {"alerts": False}).status == 200
    assert phone.get("/api/requests/" + "0" * 32).status == 404
    stream = phone.listen()
    page.vault.receive_any()
    assert stream.take()[0] == "request"
    stream.close()
    assert vault_socket.links


def test_sigterm_ends_it_quickly_with_exit_0_and_no_traceback(page: Process, vault_socket: VaultSocket) -> None:
    page.start()
    page.wait_until_it_answers()
    stream = logged_in(page).listen()
    started = time.monotonic()
    assert page.stop() == 0
    assert time.monotonic() - started < 5
    stream.close()
    assert "Traceback" not in page.log.read_text()
    assert vault_socket.vault.spki


def test_the_key_outlives_the_process(page: Process, vault_socket: VaultSocket) -> None:
    page.start()
    page.wait_until_it_answers()
    spki = vault_socket.vault.spki
    page.stop()
    page.start()
    page.wait_until_it_answers()
    assert logged_in(page).cookie
    assert vault_socket.vault.spki == spki


def test_it_waits_for_the_vault_and_survives_its_restart(page: Process, tmp_path: Path) -> None:
    page.start()
    page.eventually(lambda: "the vault does not answer" in page.log.read_text())
    first = VaultSocket(tmp_path / "run" / "page.sock", page.vault)
    page.wait_until_it_answers()
    phone = logged_in(page)
    stream = phone.listen()
    first.close()
    assert phone.get("/api/status").status == 503
    second = VaultSocket(tmp_path / "run" / "page.sock", page.vault)
    page.eventually(lambda: phone.get("/api/status").status == 200)
    stream.close()
    assert page.stop() == 0
    second.close()
    assert "Traceback" not in page.log.read_text()


def test_told_to_stop_while_it_waits_it_exits_0(page: Process) -> None:
    page.start()
    page.eventually(lambda: "the vault does not answer" in page.log.read_text())
    assert page.stop() == 0


def test_a_taken_port_is_one_plain_line_and_tried_again(page: Process, vault_socket: VaultSocket) -> None:
    with socket.create_server(("127.0.0.1", page.port)):
        page.start()
        page.eventually(lambda: "free it or set [page]" in page.log.read_text())
        time.sleep(1.5)
        assert page.log.read_text().count("can't listen on") == 1
        assert page.vault.page_faults[0] == ["page-port"]
    page.wait_until_it_answers()
    assert "Traceback" not in page.log.read_text()
    assert page.vault.page_faults[-1] == []
    assert vault_socket.links


def test_a_page_that_can_listen_says_nothing_of_faults(page: Process, vault_socket: VaultSocket) -> None:
    page.start()
    page.wait_until_it_answers()
    assert vault_socket.vault.page_faults == []


def test_a_vault_that_comes_later_is_told_of_the_taken_port_too(page: Process, tmp_path: Path) -> None:
    path = tmp_path / "run" / "page.sock"
    first = VaultSocket(path, page.vault)
    with socket.create_server(("127.0.0.1", page.port)):
        page.start()
        page.eventually(lambda: page.vault.page_faults == [["page-port"]])
        first.close()
        page.vault.page_faults.clear()
        with contextlib.closing(VaultSocket(path, page.vault)):
            page.eventually(lambda: ["page-port"] in page.vault.page_faults)


@pytest.mark.slow
def test_with_systemds_socket_it_ends_when_idle_and_the_port_stays_open(
    page: Process, vault_socket: VaultSocket, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        activated = Process(tmp_path, page.vault, int(given.getsockname()[1]), idle_s=10)
        with contextlib.closing(activated):
            activated.start(given)
            activated.wait_until_it_answers()
            phone = logged_in(activated)
            assert phone.get("/api/status").status == 200
            assert activated.process is not None
            activated.client.clear()
            assert activated.process.wait(20) == 0
            activated.start(given)
            activated.wait_until_it_answers()
            assert phone.get("/api/status").status == 200
    assert vault_socket.links
