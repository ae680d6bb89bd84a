"""A camera that comes and goes: restarts, back-off, the five seconds, generations."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from agent.capture.resilient import FROZEN_AFTER_S, Backoff, Resilient
from agent.capture.source import FrameCount, Moment, StreamInfo
from agent.core.errors import TroubleError
from tests.fakes.capture_camera import NS, HandClock

INFO = StreamInfo("avc1.42c01e", 320, 180, b"", 10.0, 0, (160, 90))


@dataclass
class ScriptedCamera:
    """Does what it is told: `pictures` before `trouble`, which opening meets when it is zero."""

    clock: HandClock
    pictures: int = 10
    trouble: TroubleError = field(default_factory=lambda: TroubleError("camera-failed", "it broke"))
    count: FrameCount = field(default_factory=FrameCount)
    openings: list[int] = field(default_factory=list)
    is_open: bool = False
    left: int = 0

    def open(self) -> StreamInfo:
        assert not self.is_open
        self.openings.append(self.clock.now_ns)
        if not self.pictures:
            raise self.trouble
        self.is_open, self.left = True, self.pictures
        return INFO

    def read(self, timeout_s: float) -> Moment:
        assert self.is_open
        if not self.left:
            if self.trouble.code == "camera-frozen":
                self.clock.sleep(timeout_s)
            raise self.trouble
        self.left -= 1
        self.clock.now_ns += NS // 10
        return Moment(self.clock.now_ns, np.zeros((90, 160), np.uint8), ())

    def close(self) -> None:
        self.is_open = False


def watched(camera: ScriptedCamera) -> Resilient:
    return Resilient(camera, camera.clock, delay_s=lambda attempt: float(2**attempt), sleep=camera.clock.sleep)


def fault_code(eyes: Resilient) -> str | None:
    return None if eyes.fault is None else eyes.fault.code


def test_a_broken_camera_is_closed_and_opened_again_as_a_new_generation() -> None:
    camera = ScriptedCamera(HandClock(), pictures=3)
    eyes = watched(camera)
    got = [eyes.read(1.0) for _ in range(5)]
    assert [moment is not None for moment in got] == [True, True, True, False, True]
    assert eyes.generation == 2
    assert eyes.fault is None


def test_the_fault_says_why_while_there_is_no_picture() -> None:
    camera = ScriptedCamera(HandClock(), pictures=0, trouble=TroubleError("camera-missing", "plug it in"))
    eyes = watched(camera)
    assert eyes.read(0.5) is None
    assert eyes.fault is not None
    assert (eyes.fault.code, str(eyes.fault)) == ("camera-missing", "plug it in")
    assert eyes.info is None
    camera.pictures = 5
    while eyes.read(0.5) is None:
        pass
    assert fault_code(eyes) is None
    assert eyes.generation == 1


def test_a_frozen_camera_is_noticed_within_five_seconds_and_not_before() -> None:
    camera = ScriptedCamera(HandClock(), pictures=1, trouble=TroubleError("camera-frozen", "nothing"))
    eyes = watched(camera)
    moment = eyes.read(0.5)
    assert moment is not None
    while eyes.fault is None:
        assert eyes.read(0.5) is None
    silent_s = (camera.clock.now_ns - moment.capture_ns) / NS
    assert FROZEN_AFTER_S <= silent_s < 5
    assert not camera.is_open


def test_delays_grow_and_no_read_waits_longer_than_asked() -> None:
    clock = HandClock()
    camera = ScriptedCamera(clock, pictures=0)
    eyes = watched(camera)
    while len(camera.openings) < 6:
        before = clock.now_ns
        assert eyes.read(0.25) is None
        assert clock.now_ns - before <= NS // 4
    gaps = np.diff(camera.openings) / NS
    assert gaps.tolist() == pytest.approx([1, 2, 4, 8, 16], abs=0.3)


def test_a_film_with_a_long_pause_is_not_frozen() -> None:
    camera = ScriptedCamera(HandClock(), pictures=1, trouble=TroubleError("not-due", "not due"))
    eyes = watched(camera)
    eyes.read(0.5)
    for _ in range(30):
        assert eyes.read(0.5) is None
        camera.clock.sleep(0.5)
    assert eyes.fault is None
    assert eyes.generation == 1


def test_a_file_that_is_over_stays_over() -> None:
    camera = ScriptedCamera(HandClock(), pictures=2, trouble=TroubleError("camera-ended", "it is over"))
    eyes = watched(camera)
    got = [eyes.read(1.0) for _ in range(6)]
    assert sum(moment is not None for moment in got) == 2
    assert eyes.ended
    assert eyes.fault is not None
    assert len(camera.openings) == 1


def test_a_steady_camera_forgets_old_trouble() -> None:
    policy = Backoff(float)
    for second in range(5):
        policy.failed(second * NS)
    assert policy.attempt == 5
    policy.opened(10 * NS)
    policy.failed(20 * NS)
    assert policy.attempt == 6
    policy.opened(30 * NS)
    policy.failed(91 * NS)
    assert policy.attempt == 1
    assert policy.next_ns == 91 * NS


def test_closing_stops_the_camera_and_reading_starts_it_again() -> None:
    camera = ScriptedCamera(HandClock())
    eyes = watched(camera)
    assert eyes.read(1.0) is not None
    eyes.close()
    assert not camera.is_open
    assert eyes.read(1.0) is not None
    assert eyes.generation == 2
