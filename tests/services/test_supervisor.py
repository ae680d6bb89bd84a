"""`doorbell run` with real processes: started in order, restarted, stopped in the reverse."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.services.supervisor import FIRST_WAIT_S, Supervisor
from demo.directory import Directory
from tests.fakes.vault_rig import make_config

ROOT = Path(__file__).parents[2]


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "agent", *words]


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*words), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def _until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


class Running:
    """A doorbell that runs by `doorbell run`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.config = make_config(
            folder,
            camera="size = [320, 240]\nfps = 10",
            page=f"port = {port}",
            platform="",
        ).path
        directory = Directory(now_s=int(time.time()), dispatch=[], receipt=[], endpoints={})
        (folder / "root.json").write_bytes(directory.files["metadata/1.root.json"])
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null"),
                *("-out", str(folder / "ca.pem"), "-subj", "/CN=test"),
            ],
            check=True,
            capture_output=True,
        )
        made = _run("init", "--json", "--config", str(self.config))
        assert made.returncode == 0, made.stderr
        self.card = json.loads(made.stdout)
        self.process = subprocess.Popen(_command("run", "--config", str(self.config)), cwd=ROOT)

    def status(self) -> dict[str, Any] | None:
        asked = _run("status", "--json", "--config", str(self.config))
        return json.loads(asked.stdout) if asked.returncode == 0 else None

    def children(self) -> dict[str, int]:
        """Return the verbs and pids of the supervisor's children."""
        found = {}
        for one in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
            if b"agent" in words:
                found[words[words.index(b"agent") + 1].decode()] = int(one)
        return found

    def is_whole(self) -> bool:
        status = self.status()
        return status is not None and status["recording"] and "uplink-down" not in status["faults"]


@pytest.fixture
def running(tmp_path: Path, unused_port: int) -> Iterator[Running]:
    made = Running(tmp_path, unused_port)
    yield made
    if made.process.poll() is None:
        made.process.send_signal(signal.SIGTERM)
        made.process.wait(60)


@pytest.mark.slow
def test_each_process_comes_back_after_sigkill_and_all_stop_cleanly(running: Running) -> None:
    _until(running.is_whole)
    for name in ("recorder", "uplink", "page", "vault"):
        pid = running.children()[name]
        os.kill(pid, signal.SIGKILL)
        _until(lambda name=name, pid=pid: running.children().get(name, pid) != pid)  # type: ignore[misc]
    _until(running.is_whole)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
    assert not (running.config.parent / "run" / "console.sock").exists()


@pytest.mark.slow
def test_the_children_end_when_the_supervisor_is_killed(running: Running) -> None:
    _until(running.is_whole)
    children = running.children()
    assert set(children) == {"vault", "recorder", "uplink", "page"}
    running.process.kill()
    running.process.wait()
    _until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()))


def test_a_child_that_the_system_has_no_room_for_is_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[float] = []
    supervisor = Supervisor(tmp_path / "d.toml", tmp_path / "console.sock")

    def no_room(*_: object, **__: object) -> None:
        tries.append(time.monotonic())
        if len(tries) == 3:
            supervisor._tell()
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", no_room)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert supervisor.run() == 0
    assert tries[1] - tries[0] >= FIRST_WAIT_S
    assert tries[2] - tries[1] >= 2 * FIRST_WAIT_S
    assert "vault can't be started (Resource temporarily unavailable)" in caplog.text


def test_a_doorbell_that_is_not_set_up_says_so(tmp_path: Path) -> None:
    config = make_config(tmp_path).path
    ran = _run("run", "--config", str(config))
    assert ran.returncode == 1
    assert "run `doorbell init`" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_configuration_is_exit_2_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text("[device]\nlocation = 7\n")
    for verb in ("run", "vault", "recorder", "uplink", "page", "status", "check-config"):
        ran = _run(verb, "--config", str(tmp_path / "d.toml"))
        assert ran.returncode == 2, verb
        assert len(ran.stderr.strip().split("\n")) == 1, verb
        assert "device.location" in ran.stderr


def test_the_console_without_a_doorbell_is_one_line(tmp_path: Path) -> None:
    config = make_config(tmp_path).path
    for words in (["status"], ["pair"], ["requests"], ["approve", "0" * 32], ["log"]):
        ran = _run(*words, "--config", str(config))
        assert ran.returncode == 1, words
        assert "is the doorbell running?" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_wrong_usage_is_exit_2() -> None:
    assert _run("dance").returncode == 2
    assert _run().returncode == 2
    assert _run("--version").returncode == 0
