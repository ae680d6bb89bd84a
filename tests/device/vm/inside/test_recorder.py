"""The whole recorder on a USB camera: it rests while nothing moves, and records what then walks by."""

import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from agent.buffer.open_clips import open_clips
from agent.config import parse_config
from agent.services.recorder import Recorder
from agent.services.system_clock import SystemClock
from tests.device.vm.inside import vivid
from tests.device.vm.inside.usb_camera import MJPEG, SIZE, UsbCamera, nodes
from tests.fakes.capture_camera import picture
from tests.fakes.recorder_vault import wait_for, write_recipients

KEY = X25519PrivateKey.generate()
REST_S = 4.0
RATE = range(5_000, 15_000)  # ten frames a second, as `status` says it, on a busy machine
TRIGGER_S = 20.0
CONFIG = """
[device]
location = [37.7749, -122.4194]
state_dir = "state"
run_dir = "run"
clock = "host"
[camera]
source = "v4l2:DEVICE?input_format=mjpeg"
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


def still(shade: int) -> list[bytes]:
    """A film of nothing but a wall."""
    return [jpeg(np.full((*SIZE[::-1], 3), shade, np.uint8))]


def walking() -> list[bytes]:
    """Somebody bright goes from left to right, sixty pixels a second."""
    return [jpeg(picture(100 + 2 * number, *SIZE)) for number in range(46)]


def jpeg(shot: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", shot)[1].tobytes()


def brightest(clip: Path) -> list[tuple[float, int]]:
    """The time of each picture, in seconds, and its highest luma."""
    with av.open(str(clip)) as film:
        pictures = [(frame.time or 0.0, frame.to_ndarray(format="gray")) for frame in film.decode(video=0)]
    return [(time_s, int(picture.max())) for time_s, picture in pictures]


def is_recording(recorder: Recorder) -> bool:
    """Whether a clip is being recorded."""
    motion = recorder.status()["motion"]
    assert isinstance(motion, dict)
    return bool(motion["clip"])


def test_it_rests_and_then_records_what_walks_by_with_the_second_before_and_after(tmp_path: Path) -> None:
    vivid.load("usb")
    films = {MJPEG: still(120)}
    camera = UsbCamera(films)
    for name in ("root.json", "ca.pem"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "run").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "films").mkdir()
    write_recipients(tmp_path / "state/recipients.json", [(KEY, "recovery")])
    config = CONFIG.replace("DEVICE", nodes()[0])
    recorder = Recorder(parse_config(config, tmp_path / "doorbell.toml"), SystemClock("host"))
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(recorder.run()))
    thread.start()
    try:
        wait_for(lambda: recorder.status()["fps_milli"] in RATE, timeout_s=20)
        time.sleep(REST_S)
        assert recorder.faults() == []
        assert recorder.status()["fps_milli"] in RATE
        assert not is_recording(recorder)
        films[MJPEG] = walking()
        wait_for(lambda: is_recording(recorder), timeout_s=TRIGGER_S, what=str(recorder.status()))
        films[MJPEG] = still(120)
        wait_for(lambda: not is_recording(recorder), timeout_s=60)
    finally:
        recorder.stop()
        thread.join(30)
        camera.unplug()
    assert codes == [0]
    opened = open_clips(tmp_path / "state/segments", KEY, tmp_path / "films")
    assert opened.unopened == {}
    assert len(opened.clips) == 1
    seen = brightest(opened.clips[0].path)
    walked = [time_s for time_s, luma in seen if luma > 150]
    assert walked[0] - seen[0][0] > 0.7  # the second before is there
    assert seen[-1][0] - walked[-1] > 0.7  # and the second after
