"""`python -m demo` as a person runs it: to its end, to a plain failure, and to Ctrl-C."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import __main__ as demo
from demo.broker import Broker, BrokerError, mosquitto_path
from demo.certs import Certificate
from demo.doorbell import ROOT, DoorbellFailedError, doorbell
from demo.narrator import Narrator
from demo.neighbourhood import Neighbourhood
from demo.story import StoryError, pair_live
from tests.demo.running import processes_of, start


@pytest.mark.slow
@pytest.mark.broker
def test_the_story_ends_with_evidence_that_plays_and_holds(short: Path) -> None:
    child = start(short)
    out, errors = child.communicate(timeout=300)
    assert child.returncode == 0, out + errors
    assert errors == ""
    films = list((short / "out" / "evidence").glob("*.mp4"))
    assert films
    assert (short / "out" / "evidence" / "report.html").exists()
    for path in (films[0], short / "out" / "evidence" / "report.html"):
        assert str(path) in out.rsplit("The evidence", 1)[1]
    assert "FAILS  sealed" in out
    again = subprocess.run(out.strip().splitlines()[-1], shell=True, cwd=ROOT, capture_output=True, check=False)
    assert again.returncode == 0, "the last line can be typed as it stands"
    assert processes_of(short) == []
    assert [path.name for path in short.iterdir()] == ["out"], "the neighbourhood is gone"


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_at_any_time_and_leaves_nothing(short: Path, number: signal.Signals) -> None:
    child = start(short)
    assert child.stdout is not None
    for line in child.stdout:
        if "The doorbell starts" in line:
            break
    time.sleep(1.5)
    os.killpg(child.pid, number)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert errors.strip() == "Stopped. Everything is shut down and nothing is left behind."
    assert processes_of(short) == []
    assert list(short.iterdir()) == []


@pytest.mark.broker
def test_a_killed_demo_takes_its_doorbell_with_it(short: Path) -> None:
    child = start(short)
    assert child.stdout is not None
    for line in child.stdout:
        if "The doorbell starts" in line:
            break
    time.sleep(1.5)
    child.kill()
    child.communicate(timeout=10)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and processes_of(short):
        time.sleep(0.2)
    assert processes_of(short) == []


def test_a_missing_video_is_one_plain_line(short: Path) -> None:
    child = start(short, "--video", "gone.mp4")
    out, errors = child.communicate(timeout=60)
    assert (child.returncode, out, errors) == (1, "", "demo: gone.mp4: there is no such video\n")


@pytest.mark.parametrize("content", [b"", b"# a text"])
def test_what_is_no_video_is_one_plain_line_before_anything_starts(short: Path, content: bytes) -> None:
    (short / "odd.mp4").write_bytes(content)
    child = start(short, "--video", str(short / "odd.mp4"))
    out, errors = child.communicate(timeout=60)
    said = f"demo: {short}/odd.mp4: this is not a video that can be read; name another one\n"
    assert (child.returncode, out, errors) == (1, "", said)


@pytest.fixture
def signals() -> Iterator[None]:
    """Give back what the demo does to signals and hooks where it runs in this very process."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_a_town_that_can_not_be_made_leaves_nothing(
    short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("demo.neighbourhood.Authority", full)
    monkeypatch.setattr("tempfile.tempdir", str(short))
    assert demo.main(["--out", str(short / "out")]) == 1
    assert capsys.readouterr().err == "demo: No space left on device\n"
    assert list(short.iterdir()) == []


class StoppedInItsEnd:
    """A stop signal that comes in a `__del__`, where Python drops the exception."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)  # the handler runs here


@pytest.mark.usefixtures("signals")
def test_a_stop_that_python_dropped_comes_again(
    short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_town: Neighbourhood, _tell: Narrator) -> None:
        StoppedInItsEnd()  # nobody keeps it
        time.sleep(10)
        pytest.fail("it went on")

    monkeypatch.setattr("demo.story.open_the_town", stopped)
    monkeypatch.setattr("tempfile.tempdir", str(short))
    assert demo.main(["--out", str(short / "out")]) == demo.INTERRUPTED
    assert capsys.readouterr().err.strip() == "Stopped. Everything is shut down and nothing is left behind."
    assert list(short.iterdir()) == []
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.usefixtures("signals")
def test_a_missing_broker_is_one_plain_line(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.broker.mosquitto_path", lambda: None)
    monkeypatch.setenv("TMPDIR", str(short))
    said: list[str] = []
    monkeypatch.setattr("sys.stderr", type("Err", (), {"write": said.append, "flush": lambda _: None})())
    assert demo.main(["--out", str(short / "out")]) == 1
    assert "".join(said) == "demo: mosquitto is not installed: apt-get install mosquitto\n"


def test_a_broker_that_does_not_start_says_why(
    tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Broker._write_config

    def with_a_mistake(self: Broker) -> Path:
        config = plain(self)
        config.write_text(config.read_text() + "no_such_option 1\n")
        return config

    monkeypatch.setattr(Broker, "_write_config", with_a_mistake)
    with pytest.raises(BrokerError, match=r"does not start: Error: .*no_such_option") as wrong:
        Broker(tmp_path / "broker", certificate).start()
    assert str(tmp_path) not in str(wrong.value)


def test_a_password_file_that_can_not_be_made_is_one_plain_line(
    tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "mosquitto_passwd"
    broken.write_text("#!/bin/sh\necho Error: no room >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BrokerError, match=r"^mosquitto_passwd failed: Error: no room$"):
        Broker(tmp_path / "broker", certificate).start()


def test_a_doorbell_that_does_not_answer_is_one_plain_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.doorbell.command", lambda *_: ["sleep", "60"])
    monkeypatch.setattr("demo.doorbell.COMMAND_S", 0.2)
    with pytest.raises(DoorbellFailedError, match=r"^doorbell status: no answer within 0 s$"):
        doorbell("status", "--config", tmp_path / "doorbell.toml")


def test_a_link_that_can_not_be_shown_ends_the_story_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.story.command", lambda *_: ["false"])
    town = Neighbourhood(tmp_path)
    try:
        with pytest.raises(StoryError, match="`doorbell pair` failed"):
            pair_live(town, Narrator())
    finally:
        town.stop()


def test_mosquitto_is_found_out_of_users_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert mosquitto_path() in ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", None)


def test_a_wait_says_how_long_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Narrator()
    tell.chapter("One")
    with tell.wait("Something"):
        tell.tick()
    assert capsys.readouterr().out == "\n1. One\n   Something …\n   … done (0 s)\n"
