"""The whole recorder on a `v4l2:` camera: it rests while nothing moves, and records what then appears."""

import threading
import time
from pathlib import Path

import av
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.open_clips import open_clips
from agent.config import parse_config
from agent.services.recorder import Recorder
from agent.services.system_clock import SystemClock
from tests.device.vm.inside import vivid
from tests.fakes.recorder_vault import wait_for, write_recipients

KEY = X25519PrivateKey.generate()
REST_S = 4.0
RATE = range(5_000, 15_000)  # ten frames a second, as `status` says it
NO_TEXT = 2  # of "OSD Text Mode": counters would move in every picture
CONFIG = f"""
[device]
location = [37.7749, -122.4194]
state_dir = "state"
run_dir = "run"
clock = "host"
[camera]
source = "v4l2:{vivid.CAMERA}"
size = [320, 180]
fps = 10
[clips]
pre_roll_s = 1
post_roll_s = 1
segment_s = 2
[platform]
broker = "mqtts://localhost"
directory = "https://localhost/d"
ca = "ca.pem"
root = "root.json"
"""


def brightness(clip: Path) -> list[float]:
    """The mean luma of the middle of each picture."""
    with av.open(str(clip)) as film:
        pictures = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
    return [float(picture[80:100, 150:170].mean()) for picture in pictures]


def is_recording(recorder: Recorder) -> bool:
    """Whether a clip is being recorded."""
    motion = recorder.status()["motion"]
    assert isinstance(motion, dict)
    return bool(motion["clip"])


def test_it_rests_and_then_records_what_appears_with_its_pre_roll(tmp_path: Path) -> None:
    vivid.plug_in()
    vivid.turn("OSD Text Mode", NO_TEXT)
    vivid.turn("Show Square", 0)
    for name in ("root.json", "ca.pem"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "run").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "films").mkdir()
    write_recipients(tmp_path / "state/recipients.json", [(KEY, "recovery")])
    recorder = Recorder(parse_config(CONFIG, tmp_path / "doorbell.toml"), SystemClock("host"))
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(recorder.run()))
    thread.start()
    try:
        wait_for(lambda: recorder.status()["fps_milli"] in RATE, timeout_s=20)
        time.sleep(REST_S)
        assert recorder.faults() == []
        assert recorder.status()["fps_milli"] in RATE
        assert not is_recording(recorder)
        vivid.turn("Show Square")
        wait_for(lambda: is_recording(recorder), timeout_s=10)
        vivid.turn("Show Square", 0)
        wait_for(lambda: not is_recording(recorder), timeout_s=60)
    finally:
        recorder.stop()
        thread.join(30)
    assert codes == [0]
    opened = open_clips(tmp_path / "state/segments", KEY, tmp_path / "films")
    assert opened.unopened == {}
    assert len(opened.clips) == 1
    seen = brightness(opened.clips[0].path)
    with_square = [number for number, one in enumerate(seen) if abs(one - seen[0]) > 40]
    assert with_square[0] >= 9  # the second before is there
    assert with_square[-1] <= len(seen) - 9  # and the second after
