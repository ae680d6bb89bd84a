"""Ring, trigger and cutter together against a slow oracle; and the cutter's rules one by one."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.buffer.packet import Packet
from agent.buffer.ring import CheckedRing
from agent.buffer.segment import MAX_GAP_NS, Cutter, Segment
from agent.capture.trigger import Start, Stop, Trigger, TriggerSettings
from agent.core.errors import BugError

MS = 1_000_000
S = 1_000_000_000


@dataclass
class World:
    """Frames through ring, trigger and cutter, as the recorder wires them, with what was wanted noted."""

    ring: CheckedRing
    trigger: Trigger
    cutter: Cutter
    pre_ns: int
    segments: list[Segment] = field(default_factory=list)
    wanted: list[list[int]] = field(default_factory=list)
    frames: list[tuple[int, bool]] = field(default_factory=list)
    taken: int = -1

    def step(self, time_ns: int, size: int, *, is_key: bool, motion: bool, press: bool) -> None:
        effect = self.trigger.step(time_ns, motion, press=press)
        if isinstance(effect, Stop):
            self.cutter.stop(effect.at_ns)
            self.wanted[-1][1] = effect.at_ns
        elif isinstance(effect, Start):
            self.wanted.append([effect.from_ns, 2**62])
            if self.cutter.is_open:
                self.cutter.split(time_ns, effect.trigger)
            else:
                snapshot = self.ring.snapshot(effect.from_ns, after=self.taken)
                self.taken = self.ring.head - 1
                self.segments += self.cutter.start(effect.trigger, snapshot.detached())
        elif effect is not None:
            self.cutter.split(effect.at_ns, effect.trigger)
        data = memoryview(len(self.frames).to_bytes(4, "big") + bytes(size))
        self.frames.append((time_ns, is_key))
        self.ring.push(data, time_ns, is_keyframe=is_key)
        if self.cutter.is_open:
            self.segments += self.cutter.push(Packet(data, time_ns, is_key))
            if self.cutter.is_open:
                self.taken = self.ring.head - 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from([33 * MS, 66 * MS, 100 * MS, 900 * MS]),  # frame to frame, some lost between
        st.integers(0, 400),  # bytes: bursts
        st.integers(0, 9),  # 0: a press
        st.booleans(),  # motion toggles now and then
    ),
    min_size=30,
    max_size=250,
)


@given(
    steps=STEPS,
    gops=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    pre_s=st.integers(0, 4),
    post_s=st.integers(1, 3),
    capacity=st.sampled_from([4_000, 200_000]),
)
@settings(max_examples=150, deadline=None)
def test_every_frame_from_pre_roll_to_post_roll_is_in_exactly_one_segment_in_order_once(
    steps: list[tuple[int, int, int, bool]], gops: list[int], pre_s: int, post_s: int, capacity: int
) -> None:
    world = World(
        ring=CheckedRing(capacity_bytes=capacity, max_packets=500),
        trigger=Trigger(TriggerSettings(pre_s, post_s, max_clip_s=10, event_gap_s=1.0, confirm_s=0.05)),
        cutter=Cutter(segment_ns=S, frame_ns=100 * MS),
        pre_ns=pre_s * S,
    )
    time_ns, until_key, motion = 10 * S, 0, False
    for n, (gap_ns, size, die, toggle) in enumerate(steps):
        time_ns += gap_ns
        motion = motion != (toggle and n % 7 == 0)
        world.step(time_ns, size, is_key=until_key == 0, motion=motion, press=die == 0 and n % 5 == 0)
        until_key = until_key - 1 if until_key else gops[n % len(gops)] - 1
    if (last := world.trigger.close()) is not None:
        world.wanted[-1][1] = last.at_ns
    world.segments += world.cutter.close()
    _check(world, whole=capacity > 100_000)


def _check(world: World, *, whole: bool) -> None:
    numbers = [int.from_bytes(one.data[:4], "big") for segment in world.segments for one in segment.packets]
    assert numbers == sorted(set(numbers)), "in order, once"
    held = set(numbers)
    for from_ns, until_ns in world.wanted:
        inside = [n for n, (time_ns, _) in enumerate(world.frames) if from_ns <= time_ns <= until_ns]
        missing = [n for n in inside if n not in held]
        if whole:
            assert not missing, "every frame of the window"
        elif missing:  # the ring was too small: only the oldest part of the pre-roll may be missing
            assert max(missing) < min(n for n in inside if n in held)
            assert all(world.frames[n][0] < from_ns + world.pre_ns for n in missing)
    for segment in world.segments:
        assert segment.packets[0].is_keyframe
        assert segment.end_ns > segment.packets[-1].capture_ns
    for before, after in zip(world.segments, world.segments[1:], strict=False):
        if before.clip == after.clip:
            assert (after.n, before.end_ns) == (before.n + 1, after.packets[0].capture_ns)
            assert before.clip_ns == after.clip_ns
        else:
            assert (after.n, after.clip_ns) == (0, after.packets[0].capture_ns)
            assert before.is_last
            assert before.end_ns <= after.packets[0].capture_ns


def _packets(times: list[int], *, gop: int) -> list[Packet]:
    return [Packet(memoryview(b"x"), time, n % gop == 0) for n, time in enumerate(times)]


def _cutter() -> Cutter:
    return Cutter(segment_ns=4 * S, frame_ns=S // 10)


def test_a_segment_is_cut_at_the_key_frame_nearest_to_its_length() -> None:
    cutter = _cutter()
    done = cutter.start("motion", _packets([n * S // 10 for n in range(200)], gop=20))
    assert [len(one.packets) for one in done] == [40, 40, 40, 40]
    cutter = _cutter()
    done = cutter.start("motion", _packets([n * S // 10 for n in range(200)], gop=30))
    assert [len(one.packets) for one in done] == [30] * 6


def test_a_stop_ends_the_clip_before_the_next_key_frame_and_the_next_clip_goes_on_with_it() -> None:
    cutter = _cutter()
    packets = _packets([n * S // 10 for n in range(60)], gop=20)
    assert cutter.start("press", packets[:25]) == []
    cutter.stop(packets[24].capture_ns)
    done = [segment for one in packets[25:] for segment in cutter.push(one)]
    assert [(len(one.packets), one.is_last, one.trigger) for one in done] == [(40, True, "press")]
    assert done[0].end_ns == packets[40].capture_ns
    assert not cutter.is_open


def test_a_split_before_the_stop_took_effect_takes_it_back() -> None:
    cutter = _cutter()
    packets = _packets([n * S // 10 for n in range(60)], gop=20)
    cutter.start("motion", packets[:25])
    cutter.stop(packets[24].capture_ns)
    cutter.split(packets[26].capture_ns, "press")
    done = [segment for one in packets[25:] for segment in cutter.push(one)] + cutter.close()
    assert [(one.clip, one.trigger, len(one.packets)) for one in done] == [(1, "motion", 40), (2, "press", 20)]


def test_a_clip_that_was_stopped_before_its_first_key_frame_holds_nothing() -> None:
    cutter = _cutter()
    cutter.start("motion", [])
    cutter.stop(5)
    assert cutter.push(Packet(memoryview(b"x"), 10, is_keyframe=True)) == []
    assert not cutter.is_open


def test_after_a_packet_that_was_not_taken_the_segment_ends_and_the_loss_is_counted_in_it() -> None:
    cutter = _cutter()
    packets = _packets([n * S // 10 for n in range(60)], gop=20)
    cutter.start("motion", packets[:5])
    cutter.discard()
    done = [segment for one in packets[6:] for segment in cutter.push(one)] + cutter.close()
    assert [(len(one.packets), one.dropped, one.n) for one in done] == [(5, 15, 0), (40, 0, 1)]
    assert done[0].end_ns == packets[20].capture_ns


def test_frames_lost_before_they_came_are_counted_in_their_segment() -> None:
    cutter = _cutter()
    cutter.lost(7)
    cutter.start("motion", _packets([0, S], gop=5))
    cutter.lost(3)
    assert cutter.close()[0].dropped == 3


def test_a_long_silence_ends_the_clip_and_does_not_stretch_a_picture_over_it() -> None:
    cutter = _cutter()
    later_ns = MAX_GAP_NS + S
    packets = [*_packets([0, S // 10], gop=5), *_packets([later_ns, later_ns + S // 10], gop=5)]
    done = cutter.start("motion", packets) + cutter.close()
    assert [(one.clip, one.n, len(one.packets)) for one in done] == [(1, 0, 2), (2, 0, 2)]
    assert done[0].end_ns == 2 * S // 10


def test_a_silence_before_a_split_leaves_the_split_to_the_frame_that_it_was_for() -> None:
    cutter = _cutter()
    later_ns = MAX_GAP_NS + S
    packets = _packets([0, *(later_ns + n * S // 10 for n in range(4))], gop=1)
    cutter.start("motion", packets[:1])
    cutter.split(packets[3].capture_ns, "press")  # the encoder is late: the press is seen before the silence's end
    done = [segment for one in packets[1:] for segment in cutter.push(one)] + cutter.close()
    assert [(one.clip, one.trigger, len(one.packets)) for one in done] == [
        (1, "motion", 1),
        (2, "motion", 2),
        (3, "press", 2),
    ]


def test_a_lone_frame_lasts_one_nominal_frame() -> None:
    cutter = _cutter()
    cutter.start("manual", _packets([7 * S], gop=5))
    assert cutter.close()[0].end_ns == 7 * S + S // 10


def test_a_packet_whose_time_does_not_rise_is_not_taken() -> None:
    cutter = _cutter()
    cutter.start("motion", _packets([0, 5, 5, 6], gop=9))
    (segment,) = cutter.close()
    assert [one.capture_ns for one in segment.packets] == [0, 5]
    assert segment.dropped == 2


def test_an_idle_cutter_ignores_packets_stops_and_losses() -> None:
    cutter = _cutter()
    cutter.stop(0)
    cutter.split(0, "press")
    cutter.discard()
    assert cutter.push(Packet(memoryview(b"x"), 1, is_keyframe=True)) == []
    assert cutter.close() == []
    cutter.start("motion", _packets([2, 3], gop=5))
    assert cutter.close()[0].trigger == "motion"


def test_starting_an_open_clip_is_a_bug() -> None:
    cutter = _cutter()
    cutter.start("motion", [])
    with pytest.raises(BugError):
        cutter.start("motion", [])
