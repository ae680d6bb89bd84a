"""The hot loop: what is recorded of a stream of frames, and what is dropped."""

import numpy as np
import pytest

from agent.buffer.ring import CheckedRing
from agent.buffer.segment import Cutter, Segment
from agent.capture import source
from agent.capture.motion import MotionKernel, MotionResult, Why
from agent.capture.source import Moment
from agent.capture.trigger import Trigger, TriggerSettings
from agent.services.recorder_loop import RecorderLoop
from tests.fakes.buffer_film import FRAME_NS, film, stream_info

S = 1_000_000_000


class StepKernel(MotionKernel):
    """Sees motion where the luma plane is not black, `delay_ms` after it began."""

    delay_ms = 0.0

    def step(self, luma: source.Luma, t_ms: float) -> MotionResult:
        moving = bool(luma[0, 0])
        return MotionResult(float(moving), motion=moving, box=None, why=Why.STILL, began_ms=t_ms - self.delay_ms)


class Loop:
    """A hot loop over a writer that keeps what it is offered."""

    def __init__(self, *, budget_bytes: int = 10**9, capacity_bytes: int = 10**6) -> None:
        self.segments: list[Segment] = []
        self.may_record = True
        self.backlog_bytes = 0
        self.loop = RecorderLoop(
            make_kernel=StepKernel,
            trigger=Trigger(TriggerSettings(2.0, 1.0, 60.0, 0.0, 0.0)),
            ring=CheckedRing(capacity_bytes=capacity_bytes, max_packets=1000),
            cutter=Cutter(segment_ns=S, frame_ns=FRAME_NS),
            writer=self,  # type: ignore[arg-type]  # the two things of a writer that the loop uses
            budget_bytes=budget_bytes,
            may_record=lambda: self.may_record,
            pre_roll_ns=2 * S,
        )
        self._n = 0
        self.loop.begin(stream_info(film([0], gop=1)[0]))

    def offer(self, segment: Segment, _info: source.StreamInfo) -> None:
        self.segments.append(segment)

    def run(self, frames: int, *, motion: bool = False, press: bool = False, size: int = 10) -> None:
        for _ in range(frames):
            luma = np.full((48, 64), 255 if motion else 0, np.uint8)
            time_ns = self._n * FRAME_NS
            packet = source.Packet(memoryview(self._n.to_bytes(4, "big") * size), time_ns, self._n % 10 == 0)
            self.loop.step(Moment(time_ns, luma, (packet,)), press=press)
            press = False
            self._n += 1

    @property
    def numbers(self) -> list[int]:
        return [int.from_bytes(one.data[:4], "big") for segment in self.segments for one in segment.packets]


def test_motion_is_recorded_from_the_pre_roll_to_the_post_roll() -> None:
    world = Loop()
    world.run(55)
    world.run(10, motion=True)
    world.run(40)
    # Pre-roll from 3.5 s: key frame 30. Last motion 6.4 s, post-roll to 7.4 s: until key frame 80.
    assert world.numbers == list(range(30, 80))
    assert [one.is_last for one in world.segments] == [False] * 4 + [True]


def test_two_visits_close_to_each_other_share_no_frame_and_lose_none() -> None:
    world = Loop()
    world.run(40)
    world.run(5, motion=True)
    world.run(20)
    world.run(5, motion=True)
    world.run(40)
    assert world.numbers == sorted(set(world.numbers)) == list(range(20, 80))
    assert {one.clip for one in world.segments} == {1, 2}


def test_the_pre_roll_reaches_back_from_where_the_motion_began_not_from_where_it_was_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(StepKernel, "delay_ms", 700.0)
    world = Loop()
    world.run(55)
    world.run(10, motion=True)
    world.run(40)
    assert world.numbers == list(range(20, 80)), "began at 4.8 s, from 2.8 s: key frame 20"


def test_a_press_is_a_trigger_of_its_own() -> None:
    world = Loop()
    world.run(40)
    world.run(1, press=True)
    world.run(40)
    assert {one.trigger for one in world.segments} == {"press"}


def test_without_a_recipient_nothing_is_recorded_and_recording_starts_as_soon_as_there_is_one() -> None:
    world = Loop()
    world.may_record = False
    world.run(30, motion=True)
    assert not world.loop.is_recording
    world.may_record = True
    world.run(1, motion=True)
    assert world.loop.is_recording


def test_what_exceeds_the_budget_is_dropped_up_to_a_key_frame_and_counted() -> None:
    world = Loop()
    world.run(30)
    world.run(5, motion=True)
    world.backlog_bytes = 10**9
    world.run(13, motion=True)
    assert world.loop.is_overfull
    world.backlog_bytes = 0
    world.run(30)
    assert world.loop.dropped_frames == 13
    assert sum(one.dropped for one in world.segments) == 15, "48 and 49 could not be decoded without 35 to 47"
    assert world.numbers == sorted(set(range(10, 60)) - set(range(35, 50)))


def test_a_burst_that_shortens_the_pre_roll_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = Loop(capacity_bytes=1_000)
    world.run(50, size=20)
    world.run(1, motion=True, size=20)
    assert world.loop.pre_roll_short_ms > 0
    assert "pre-roll" in caplog.text


def test_a_new_stream_ends_the_clip_and_mixes_no_packets() -> None:
    world = Loop()
    world.run(25, motion=True)
    world.loop.begin(stream_info(film([0], gop=1)[0]))
    assert world.numbers == list(range(25))
    assert not world.loop.is_recording
    world._n = 30
    world.run(1, motion=True)
    world.loop.end()
    assert world.numbers == [*range(25), 30]
