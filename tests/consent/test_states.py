"""The table of section 12: every pair, and the diagram that is generated from it."""

from itertools import product
from pathlib import Path

import pytest

from agent.consent import states
from agent.consent.states import (
    DECLINABLE,
    FINAL,
    OPEN,
    STOPPABLE,
    TABLE,
    Event,
    IllegalTransitionError,
    State,
    next_state,
)
from agent.core.errors import BugError
from tests.consent.states_document import FILE, document

# Section 12, written a second time by hand: one line for each state, events in the order of the enum.
WANTED = {
    "UNSEEN": "PASSED>PENDING HELD_BACK>QUIET",
    "QUIET": "PASSED>PENDING CANCELLED>CANCELLED EXPIRED>EXPIRED",
    "PENDING": ("SHARED>GRACE SHARED_TO_CONFIRM>CONFIRMING DECLINED>DECLINED CANCELLED>CANCELLED EXPIRED>EXPIRED"),
    "CONFIRMING": (
        "PRESSED>GRACE CONFIRM_TIMED_OUT>PENDING STOPPED>PENDING DECLINED>DECLINED CANCELLED>CANCELLED "
        "EXPIRED>EXPIRED RESTARTED>PENDING"
    ),
    "GRACE": ("STOPPED>PENDING DECLINED>DECLINED GRACE_PASSED>UPLOADING CANCELLED>CANCELLED RESTARTED>GRACE"),
    "DECLINED": "SHARED>GRACE SHARED_TO_CONFIRM>CONFIRMING CANCELLED>CANCELLED EXPIRED>EXPIRED",
    "UPLOADING": (
        "STOPPED>WITHDRAWN UPLOADED>HANDED_OVER WAITED_OUT>FAILED CANCELLED>CANCELLED RESTARTED>UPLOADING"
    ),
    "HANDED_OVER": "RECEIVED>DELIVERED WAITED_OUT>UNCONFIRMED RESTARTED>HANDED_OVER",
    "DELIVERED": "",
    "UNCONFIRMED": "",
    "WITHDRAWN": "",
    "FAILED": "",
    "CANCELLED": "",
    "EXPIRED": "",
}


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)), ids=lambda item: item.name)
def test_every_pair_of_state_and_event(state: State, event: Event) -> None:
    legal = dict(pair.split(">") for pair in WANTED[state.name].split())
    if event.name in legal:
        assert next_state(state, event) is State[legal[event.name]]
    else:
        before = dict(TABLE)
        with pytest.raises(IllegalTransitionError, match=f"{event.name} can't happen in {state.name}"):
            next_state(state, event)
        assert dict(TABLE) == before


def test_an_illegal_pair_is_our_own_mistake() -> None:
    assert issubclass(IllegalTransitionError, BugError)


def test_nobody_can_add_to_the_table() -> None:
    with pytest.raises(TypeError):
        TABLE[State.QUIET, Event.SHARED] = State.GRACE  # type: ignore[index]


def test_footage_can_only_leave_through_the_grace_time() -> None:
    assert {pair for pair, target in TABLE.items() if target is State.UPLOADING} == {
        (State.GRACE, Event.GRACE_PASSED),
        (State.UPLOADING, Event.RESTARTED),
    }
    ways_in = {pair for pair, target in TABLE.items() if target is State.GRACE}
    assert {event for _, event in ways_in} == {Event.SHARED, Event.PRESSED, Event.RESTARTED}
    assert {source for source, event in ways_in if event is Event.RESTARTED} == {State.GRACE}


def test_every_state_is_reachable_and_what_is_final_is_final() -> None:
    reached, frontier = {State.UNSEEN}, [State.UNSEEN]
    while frontier:
        source = frontier.pop()
        for (state, _), target in TABLE.items():
            if state is source and target not in reached:
                reached.add(target)
                frontier.append(target)
    assert reached == set(State)
    assert {state.name for state in FINAL} == {state for state, pairs in WANTED.items() if not pairs}


def test_the_sets_that_others_go_by() -> None:
    assert {State.PENDING, State.CONFIRMING, State.GRACE} == OPEN
    assert {State.CONFIRMING, State.GRACE, State.UPLOADING} == STOPPABLE  # section 10
    assert {State.PENDING, State.CONFIRMING, State.GRACE} == DECLINABLE  # section 12


def test_the_diagram_has_one_line_for_each_pair() -> None:
    lines = states.diagram().splitlines()
    assert len(lines) == 1 + len(TABLE) + len(FINAL)
    assert lines[0] == "stateDiagram-v2"
    assert "    [*] --> PENDING: checks pass" in lines
    assert "    GRACE --> UPLOADING: time over, re-checks pass, segments unchanged" in lines


def test_the_document_is_the_generated_one() -> None:
    written = Path(FILE).read_text(encoding="utf-8")
    assert written == document(), "run `python -m tests.consent.states_document`"
