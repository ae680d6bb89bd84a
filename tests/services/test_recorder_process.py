"""`doorbell recorder` as a real process: with a vault, without one, told to stop, killed."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.open_clips import open_clips
from agent.buffer.segment_files import SegmentFolder
from tests.buffer.test_mux_pyav import decoded_times
from tests.fakes.recorder_vault import FakeVault, wait_for, write_recipients
from tests.fakes.vault_rig import make_config

KEY = X25519PrivateKey.generate()
ROOT = Path(__file__).parents[2]
MAIN = """
import logging, pathlib, sys
from agent.config import load_config
from agent.services.recorder import main
logging.basicConfig(level=logging.INFO)
sys.exit(main(load_config(pathlib.Path(sys.argv[1]))))
"""


class House:
    """A folder with a configuration, recipients, a vault that listens, and the recorder."""

    def __init__(self, folder: Path, camera: str = 'source = "scene:porch"\nsize = [320, 240]') -> None:
        config = make_config(folder, clips="pre_roll_s = 1\npost_roll_s = 1\nsegment_s = 2", motion="", bell="")
        text = config.path.read_text().replace('source = "scene:porch"', camera)
        config.path.write_text(text)
        self.config = config
        self.state = config.device.state_dir
        self.state.mkdir(exist_ok=True)
        config.device.run_dir.mkdir(exist_ok=True)
        write_recipients(self.state / "recipients.json", [(KEY, "recovery")])
        self.vault: FakeVault | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def listen(self) -> FakeVault:
        self.vault = FakeVault(self.config.device.run_dir / "recorder.sock")
        return self.vault

    def run(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", MAIN, str(self.config.path)]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        return self.process

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Stop the recorder; returns its exit code and what it said."""
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        return process.returncode, said.decode()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
        if self.vault is not None:
            self.vault.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_an_order_is_recorded_sealed_told_and_a_stop_finishes_the_running_segment(
    house: House, tmp_path: Path
) -> None:
    vault = house.listen()
    house.run()
    wait_for(lambda: any(one["recording"] for one in vault.said("status")), timeout_s=30)
    vault.links[0].call("press")
    wait_for(lambda: vault.said("sealed"), timeout_s=30)
    code, said = house.stop()
    assert (code, "Traceback" in said) == (0, False), said
    with SegmentFolder(house.state / "segments") as folder:
        complete = folder.scan().complete
    assert {one["id"] for one in vault.said("sealed")} == set(complete)
    (tmp_path / "films").mkdir()
    opened = open_clips(house.state / "segments", KEY, tmp_path / "films")
    assert opened.unopened == {}
    assert sum(one.missing for one in opened.clips) == 0
    assert sum(len(decoded_times(one.path.read_bytes())) for one in opened.clips) >= 15


def test_it_records_while_the_vault_is_away_and_tells_it_later(house: House) -> None:
    vault = house.listen()
    house.run()
    wait_for(lambda: any(one["recording"] for one in vault.said("status")), timeout_s=30)
    vault.links[0].call("press")
    vault.close()
    wait_for(lambda: list((house.state / "segments").glob("*.seg")), timeout_s=30)
    vault = house.listen()
    wait_for(lambda: vault.said("sealed"), timeout_s=30)
    assert house.stop()[0] == 0


def test_without_a_recipient_it_says_so_and_records_once_there_is_one(house: House) -> None:
    write_recipients(house.state / "recipients.json", [(KEY, "button")])
    vault = house.listen()
    house.run()
    wait_for(lambda: any(one["faults"] == ["no-recipient"] for one in vault.said("status")), timeout_s=30)
    vault.links[0].call("press")
    write_recipients(house.state / "recipients.json", [(KEY, "recovery")])
    wait_for(lambda: vault.said("status")[-1]["recording"], timeout_s=30)
    vault.links[0].call("press")
    wait_for(lambda: vault.said("sealed"), timeout_s=30)
    assert house.stop()[0] == 0


def test_a_missing_camera_is_a_fault_a_line_that_says_what_to_do_and_no_traceback(tmp_path: Path) -> None:
    house = House(tmp_path, f'source = "file:{tmp_path}/none.mp4"')
    vault = house.listen()
    house.run()
    wait_for(lambda: any("camera-" in str(one["faults"]) for one in vault.said("status")), timeout_s=30)
    code, said = house.stop()
    house.close()
    assert (code, "Traceback" in said) == (0, False), said
    lines = [line for line in said.splitlines() if "camera-" in line]
    assert len(lines) == 1, "told once, not at each attempt"
    assert f"camera-missing: there is no {tmp_path}/none.mp4" in lines[0]


def test_a_killed_recorder_tells_what_it_sealed_when_it_comes_back(house: House) -> None:
    vault = house.listen()
    house.run()
    wait_for(lambda: any(one["recording"] for one in vault.said("status")), timeout_s=30)
    vault.links[0].call("press")
    wait_for(lambda: list((house.state / "segments").glob("*.seg")), timeout_s=30)
    house.stop(signal.SIGKILL)
    vault.close()
    with SegmentFolder(house.state / "segments") as folder:
        complete = folder.scan().complete
        for one in complete:
            folder.check(one)
    vault = house.listen()
    house.run()
    wait_for(lambda: {one["id"] for one in vault.said("sealed")} >= set(complete), timeout_s=30)
    assert house.stop()[0] == 0


@pytest.mark.parametrize("runs", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_kill_9_at_any_moment_leaves_no_half_valid_segment_and_loses_none_that_was_told(
    tmp_path: Path, runs: int
) -> None:
    command = [sys.executable, "-m", "tests.buffer.kill_writer", str(tmp_path), str(runs)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told = re.search(r"(\d+) segments told", done.stdout)
    assert told is not None
    assert int(told[1]) >= runs // 4
