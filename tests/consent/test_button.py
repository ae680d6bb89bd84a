"""The button's machine: what is deliberate, what it means, and what the lamp says of it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.button import (
    BELL,
    INDOOR,
    Button,
    Gesture,
    Meaning,
    Order,
    Pattern,
    Timing,
    meaning,
    pattern,
)
from agent.consent.states import State
from agent.core.errors import BugError
from agent.core.ids import Id

MS = 10**6
A, B, C = (Id(letter * 32) for letter in "abc")


def play(levels: list[tuple[int, bool]], *, until_ms: int, timing: Timing = INDOOR) -> list[tuple[int, Gesture]]:
    """Feed edges (ms, closed) and tick at each deadline; return gestures with the ms at which they came."""
    button, came = Button(timing), []
    for at_ms, closed in [*levels, (until_ms, None)]:
        while (deadline := button.deadline_ns()) is not None and deadline <= at_ms * MS:
            found = button.tick(deadline)
            came += [(deadline // MS, gesture) for gesture in found]
            if not found and button.deadline_ns() == deadline:
                raise AssertionError("a deadline that nothing follows")
        if closed is not None:
            came += [(at_ms, gesture) for gesture in button.edge(closed=closed, now_ns=at_ms * MS)]
    return came


def test_a_deliberate_press_is_reported_when_the_button_is_let_go() -> None:
    assert play([(1000, True), (1200, False)], until_ms=2000) == [(1230, Gesture.PRESS)]


@pytest.mark.parametrize("length_ms", [1, 29, 30, 31, 99])
def test_a_short_tap_is_no_press(length_ms: int) -> None:
    assert play([(1000, True), (1000 + length_ms, False)], until_ms=2000) == []


def test_the_shortest_press() -> None:
    assert play([(1000, True), (1100, False)], until_ms=2000) == [(1130, Gesture.PRESS)]


def test_the_longest_press_and_the_shortest_hold() -> None:
    assert play([(1000, True), (5999, False)], until_ms=9000) == [(6029, Gesture.PRESS)]
    assert play([(1000, True), (6001, False)], until_ms=9000) == [(6000, Gesture.HOLD)]


def test_a_hold_is_reported_while_it_lasts_and_is_no_press_afterwards() -> None:
    assert play([(0, True), (20_000, False)], until_ms=30_000) == [(5000, Gesture.HOLD)]


def test_a_hold_that_nobody_ticked_for_is_still_one_hold() -> None:
    button = Button(INDOOR)
    assert button.edge(closed=True, now_ns=0) == ()
    assert button.edge(closed=False, now_ns=9_000 * MS) == (Gesture.HOLD,)
    assert button.tick(9_100 * MS) == ()


def test_bounces_at_both_ends_do_not_change_the_press() -> None:
    noisy = [(0, True), (2, False), (4, True), (6, False), (9, True), (300, False), (303, True), (306, False)]
    assert play(noisy, until_ms=1000) == [(336, Gesture.PRESS)]


def test_a_contact_that_only_bounces_is_nothing() -> None:
    assert play([(at, at % 20 == 0) for at in range(0, 2000, 10)], until_ms=3000) == []


def test_two_presses_are_two() -> None:
    twice = [(0, True), (150, False), (400, True), (550, False)]
    assert [gesture for _, gesture in play(twice, until_ms=1000)] == [Gesture.PRESS, Gesture.PRESS]


def test_the_same_level_again_is_no_edge() -> None:
    again = [(0, True), (60, True), (110, True), (120, False), (125, False)]
    assert play(again, until_ms=1000) == [(150, Gesture.PRESS)]


def test_the_bell_rings_while_it_is_pushed_and_once_however_long() -> None:
    assert play([(0, True), (9_000, False)], until_ms=10_000, timing=BELL) == [(30, Gesture.PRESS)]
    assert play([(0, True), (9_000, False), (9_500, True)], until_ms=10_000, timing=BELL) == [
        (30, Gesture.PRESS),
        (9_530, Gesture.PRESS),
    ]


def test_a_button_that_was_closed_at_the_start_is_stuck_and_not_held() -> None:
    button = Button(INDOOR, starts_closed=True)
    assert button.deadline_ns() is None
    assert button.tick(60_000 * MS) == ()
    assert button.edge(closed=False, now_ns=61_000 * MS) == ()
    assert button.deadline_ns() == 61_030 * MS
    assert button.tick(61_030 * MS) == ()
    assert button.edge(closed=True, now_ns=62_000 * MS) == ()
    assert button.edge(closed=False, now_ns=62_200 * MS) == ()
    assert button.tick(62_230 * MS) == (Gesture.PRESS,)


def test_boot_time_that_goes_back_is_our_mistake() -> None:
    button = Button(INDOOR)
    button.tick(5)
    with pytest.raises(BugError):
        button.tick(4)
    assert button.tick(5) == ()


@given(st.lists(st.integers(1, 400), max_size=60), st.integers(0, 1))
def test_every_gesture_stands_on_a_level_that_was_deliberate(gaps_ms: list[int], first: int) -> None:
    """As many gestures as closings of 100 ms and more, apart from each other by openings of 30 ms and more."""
    times, levels = [0], []
    for gap in gaps_ms:
        times.append(times[-1] + gap)
    levels = [(at, index % 2 == first) for index, at in enumerate(times)]
    end = times[-1] + 10_000
    came = play(levels, until_ms=end)
    assert [at for at, _ in came] == sorted(at for at, _ in came)
    # A slow oracle: remove openings shorter than the debounce, then closings shorter than it at their start.
    closings = []
    start = None
    for (at, closed), (later, _) in pairwise([*levels, (end, False)]):
        if closed and start is None and later - at >= 30:
            start = at
        elif not closed and start is not None and later - at >= 30:
            closings.append((start, at))
            start = None
    if start is not None:
        closings.append((start, end))
    wanted = []
    for opened, let_go in closings:
        if let_go - opened >= 5000:
            wanted.append(Gesture.HOLD)
        elif let_go - opened >= 100:
            wanted.append(Gesture.PRESS)
    assert [gesture for _, gesture in came] == wanted


def test_a_press_confirms_the_request_that_waits_longest() -> None:
    waiting = {A: State.PENDING, B: State.CONFIRMING, C: State.CONFIRMING}
    assert meaning(Gesture.PRESS, waiting) == Order(Meaning.CONFIRM, (B,))
    assert pattern(waiting, is_pairing=True, is_quiet=True) is Pattern.BLINK


def test_a_press_stops_everything_in_its_grace_time_and_confirms_nothing_then() -> None:
    waiting = {A: State.CONFIRMING, B: State.GRACE, C: State.GRACE}
    assert meaning(Gesture.PRESS, waiting) == Order(Meaning.STOP, (B, C))
    assert pattern(waiting, is_pairing=True, is_quiet=True) is Pattern.FLASH


def test_a_hold_opens_a_pairing_window_whatever_waits() -> None:
    for state in State:
        assert meaning(Gesture.HOLD, {A: state}) == Order(Meaning.OPEN_PAIRING)


def test_a_press_alone_never_approves() -> None:
    for state in set(State) - {State.CONFIRMING, State.GRACE}:
        assert meaning(Gesture.PRESS, {A: state}) is None
    assert meaning(Gesture.PRESS, {}) is None


def test_the_lamp_glows_for_a_waiting_request_but_not_in_quiet_hours() -> None:
    assert pattern({A: State.PENDING}, is_pairing=False, is_quiet=False) is Pattern.GLOW
    assert pattern({A: State.PENDING}, is_pairing=False, is_quiet=True) is Pattern.DARK
    assert pattern({}, is_pairing=False, is_quiet=False) is Pattern.DARK
    assert pattern({A: State.UPLOADING}, is_pairing=False, is_quiet=False) is Pattern.DARK
    assert pattern({A: State.PENDING}, is_pairing=True, is_quiet=False) is Pattern.PAIRING


@given(st.dictionaries(st.sampled_from([A, B, C]), st.sampled_from(State)), st.booleans(), st.booleans())
def test_the_lamp_says_what_a_press_would_do(waiting: dict[Id, State], pairing: bool, quiet: bool) -> None:
    order = meaning(Gesture.PRESS, waiting)
    shown = pattern(waiting, is_pairing=pairing, is_quiet=quiet)
    assert (shown is Pattern.FLASH) == (order is not None and order.meaning is Meaning.STOP)
    assert (shown is Pattern.BLINK) == (order is not None and order.meaning is Meaning.CONFIRM)


def test_each_pattern_has_its_own_beat() -> None:
    assert {item.name: item.beat_ms for item in Pattern} == {
        "DARK": (0, 0),
        "GLOW": (1, 0),
        "BLINK": (500, 500),
        "FLASH": (125, 125),
        "PAIRING": (100, 900),
    }


def test_the_bell_ignores_what_is_shorter_than_30_ms() -> None:
    assert Timing(debounce_ns=30_000_000, press_ns=30_000_000, hold_ns=None, on_closing=True) == BELL
    assert play([(0, True), (29, False)], until_ms=100, timing=BELL) == []


def test_a_button_that_nobody_touches_says_nothing_however_quick_its_timing() -> None:
    instant = Timing(debounce_ns=0, press_ns=0, hold_ns=0, on_closing=True)
    button = Button(instant)
    assert button.tick(0) == ()
    assert button.tick(10**12) == ()
