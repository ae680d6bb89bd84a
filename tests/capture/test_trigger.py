"""The trigger's rules, one by one, and a property: no frame of motion is outside a clip, and splits lose none."""

from collections.abc import Set as AbstractSet

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.capture.trigger import Effect, Split, Start, Stop, Trigger, TriggerSettings
from agent.core.errors import BugError

NS = 1_000_000_000
SETTINGS = TriggerSettings(pre_roll_s=6, post_roll_s=8, max_clip_s=60, event_gap_s=5, confirm_s=0.1)


def play(
    moving: set[int], frames: int, *, presses: AbstractSet[int] = frozenset(), settings: TriggerSettings = SETTINGS
) -> list[tuple[int, Effect]]:
    """Ten frames a second; returns (frame, effect)."""
    trigger = Trigger(settings)
    made = ((n, trigger.step(at(n), n in moving, press=n in presses)) for n in range(frames))
    return [(n, effect) for n, effect in made if effect is not None]


def at(frame: int) -> int:
    return frame * NS // 10


def test_nothing_happens_while_nothing_moves() -> None:
    assert play(set(), 500) == []


def test_a_clip_reaches_back_from_the_first_frame_of_the_motion() -> None:
    assert play(set(range(100, 150)), 160) == [(101, Start("motion", at(40)))]


def test_it_stops_a_post_roll_after_the_last_motion() -> None:
    effects = play(set(range(100, 150)), 400)
    assert effects[-1] == (229, Stop(at(229)))


def test_a_single_frame_of_motion_is_not_believed() -> None:
    assert play({100}, 300) == []


def test_motion_that_comes_back_within_the_gap_is_the_same_visit() -> None:
    effects = play(set(range(100, 150)) | set(range(180, 200)), 400)
    assert [type(e) for _, e in effects] == [Start, Stop]


def test_a_second_visitor_gets_a_clip_of_its_own_without_a_gap() -> None:
    effects = play(set(range(100, 150)) | set(range(210, 250)), 400)
    assert effects[1] == (210, Split(at(210), "motion"))
    assert [type(e) for _, e in effects] == [Start, Split, Stop]


def test_a_gap_of_nought_glues_whatever_the_post_roll_holds() -> None:
    glued = TriggerSettings(event_gap_s=0)
    effects = play(set(range(100, 150)) | set(range(210, 250)), 400, settings=glued)
    assert [type(e) for _, e in effects] == [Start, Stop]


def test_a_long_clip_is_split_at_its_limit_and_goes_on() -> None:
    effects = play(set(range(100, 1500)), 1500)
    assert [(n, type(e)) for n, e in effects] == [(101, Start), (640, Split), (1240, Split)]


def test_a_press_starts_a_clip_at_once() -> None:
    assert play(set(), 105, presses={100}) == [(100, Start("press", at(40)))]


def test_a_press_on_the_frame_that_ends_a_clip_starts_the_next() -> None:
    effects = play(set(range(100, 150)), 300, presses={240})
    assert effects[1:3] == [(229, Stop(at(229))), (240, Start("press", at(180)))]
    trigger = Trigger(SETTINGS)
    assert trigger.step(0, motion=False, press=True) is not None
    assert isinstance(trigger.step(20 * NS, motion=False, press=True), Stop)  # the camera was gone in between
    assert trigger.step(20 * NS + 1, motion=False) == Start("press", 14 * NS + 1)


def test_closing_ends_an_open_clip_at_the_last_frame() -> None:
    trigger = Trigger(SETTINGS)
    trigger.step(NS, motion=False, press=True)
    trigger.step(2 * NS, motion=False)
    states = [trigger.recording]
    assert trigger.close() == Stop(2 * NS)
    assert trigger.close() is None
    assert [*states, trigger.recording] == [True, False]


def test_time_that_runs_backwards_is_a_bug() -> None:
    trigger = Trigger(SETTINGS)
    trigger.step(NS, motion=False)
    with pytest.raises(BugError):
        trigger.step(NS - 1, motion=False)


@given(
    st.lists(st.tuples(st.integers(1, 4 * NS), st.booleans(), st.booleans()), max_size=200),
    st.integers(0, 30), st.integers(1, 60), st.integers(1, 200), st.integers(0, 20),
)  # fmt: skip
@example([(1, False, True), (NS + 1, True, False), (1, True, False)], 0, 1, 1, 0)
def test_effects_alternate_and_every_moving_frame_but_the_unconfirmed_is_in_a_clip(
    steps: list[tuple[int, bool, bool]], pre: int, post: int, longest: int, gap: int
) -> None:
    """Start, then splits, then stop; time moves forward; a pressed or confirmed frame is inside a clip."""
    settings = TriggerSettings(pre, post, longest, gap, confirm_s=0)
    trigger, now, is_open, wanted = Trigger(settings), 0, False, False
    run_ns: int | None = None  # where the motion that goes on began: maybe on the frame that ended a clip
    for gap_ns, motion, press in steps:
        now += gap_ns
        run_ns = (now if run_ns is None else run_ns) if motion else None
        effect = trigger.step(now, motion, press=press)
        wanted = press and isinstance(effect, Stop)
        if isinstance(effect, Start):
            assert not is_open
            assert effect.from_ns == (now if run_ns is None else run_ns) - pre * NS
            is_open = True
        elif isinstance(effect, Split):
            assert is_open
            assert effect.at_ns == now
        elif isinstance(effect, Stop):
            assert is_open
            assert effect.at_ns <= now
            is_open = False
        assert trigger.recording == is_open
        assert is_open or not (motion or press) or isinstance(effect, Stop)
    if wanted:
        assert isinstance(trigger.step(now + 1, motion=False), Start)
