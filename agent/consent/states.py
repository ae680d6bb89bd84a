"""The life of a request as one table: protocol section 12.

Whoever changes a request's state asks `next_state` first and writes what it says, together with the log
entry, in one durable transaction. A pair that is not in the table is our own mistake: it raises and changes
nothing. docs/design/states.md is generated from the table.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from agent.core.errors import BugError


class State(StrEnum):
    """Where a request is. `UNSEEN` stands for "nothing is stored yet" and is never stored itself."""

    UNSEEN = "UNSEEN"
    QUIET = "QUIET"
    PENDING = "PENDING"
    CONFIRMING = "CONFIRMING"
    GRACE = "GRACE"
    DECLINED = "DECLINED"
    UPLOADING = "UPLOADING"
    HANDED_OVER = "HANDED_OVER"
    DELIVERED = "DELIVERED"
    UNCONFIRMED = "UNCONFIRMED"
    WITHDRAWN = "WITHDRAWN"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Event(StrEnum):
    """What happened to a request; the value is how the diagram words it."""

    PASSED = "checks pass"
    HELD_BACK = "an I result"
    SHARED = "valid share"
    SHARED_TO_CONFIRM = "valid share, button required"
    PRESSED = "press"
    CONFIRM_TIMED_OUT = "120 s without a press"
    STOPPED = "stop"
    DECLINED = "decline"
    GRACE_PASSED = "time over, re-checks pass, segments unchanged"
    UPLOADED = "every segment complete"
    RECEIVED = "receipt verified"
    WAITED_OUT = "72 h"
    CANCELLED = "cancel, agency suspended, key revoked, E on a re-check"
    EXPIRED = "exp"
    RESTARTED = "restart"


class IllegalTransitionError(BugError):
    """The table has no such pair; the state is what it was."""


_S, _E = State, Event

TABLE: Final[Mapping[tuple[State, Event], State]] = MappingProxyType(
    {
        (_S.UNSEEN, _E.PASSED): _S.PENDING,
        (_S.UNSEEN, _E.HELD_BACK): _S.QUIET,
        (_S.QUIET, _E.PASSED): _S.PENDING,
        (_S.PENDING, _E.SHARED_TO_CONFIRM): _S.CONFIRMING,
        (_S.PENDING, _E.SHARED): _S.GRACE,
        (_S.CONFIRMING, _E.PRESSED): _S.GRACE,
        (_S.CONFIRMING, _E.CONFIRM_TIMED_OUT): _S.PENDING,
        (_S.CONFIRMING, _E.STOPPED): _S.PENDING,
        (_S.PENDING, _E.DECLINED): _S.DECLINED,
        (_S.CONFIRMING, _E.DECLINED): _S.DECLINED,
        (_S.GRACE, _E.DECLINED): _S.DECLINED,
        (_S.DECLINED, _E.SHARED_TO_CONFIRM): _S.CONFIRMING,  # by `prev`, until `exp`
        (_S.DECLINED, _E.SHARED): _S.GRACE,  # by `prev`, until `exp`
        (_S.GRACE, _E.STOPPED): _S.PENDING,
        (_S.GRACE, _E.GRACE_PASSED): _S.UPLOADING,
        (_S.UPLOADING, _E.STOPPED): _S.WITHDRAWN,
        (_S.UPLOADING, _E.UPLOADED): _S.HANDED_OVER,
        (_S.UPLOADING, _E.WAITED_OUT): _S.FAILED,
        (_S.HANDED_OVER, _E.RECEIVED): _S.DELIVERED,
        (_S.HANDED_OVER, _E.WAITED_OUT): _S.UNCONFIRMED,
        (_S.QUIET, _E.CANCELLED): _S.CANCELLED,
        (_S.PENDING, _E.CANCELLED): _S.CANCELLED,
        (_S.CONFIRMING, _E.CANCELLED): _S.CANCELLED,
        (_S.GRACE, _E.CANCELLED): _S.CANCELLED,
        (_S.DECLINED, _E.CANCELLED): _S.CANCELLED,
        (_S.UPLOADING, _E.CANCELLED): _S.CANCELLED,
        (_S.QUIET, _E.EXPIRED): _S.EXPIRED,
        (_S.PENDING, _E.EXPIRED): _S.EXPIRED,
        (_S.CONFIRMING, _E.EXPIRED): _S.EXPIRED,
        (_S.DECLINED, _E.EXPIRED): _S.EXPIRED,
        # After a power cut: the grace time starts again in full, a wait for the button is given up,
        # and what was on its way goes on.
        (_S.GRACE, _E.RESTARTED): _S.GRACE,
        (_S.CONFIRMING, _E.RESTARTED): _S.PENDING,
        (_S.UPLOADING, _E.RESTARTED): _S.UPLOADING,
        (_S.HANDED_OVER, _E.RESTARTED): _S.HANDED_OVER,
    }
)

#: Nothing leaves these.
FINAL: Final[frozenset[State]] = frozenset(State) - {state for state, _ in TABLE}
#: The owner is asked: what `≤ 20 pending` and `≤ 5 open` of check 15 count.
OPEN: Final[frozenset[State]] = frozenset({_S.PENDING, _S.CONFIRMING, _S.GRACE})
#: `POST …/stop` is taken here and nowhere else (section 10).
STOPPABLE: Final[frozenset[State]] = frozenset(state for state, event in TABLE if event is _E.STOPPED)
#: A phone's decline is a veto here.
DECLINABLE: Final[frozenset[State]] = frozenset(state for state, event in TABLE if event is _E.DECLINED)


def next_state(state: State, event: Event) -> State:
    """Return where `event` leads from `state`.

    Raises:
        IllegalTransitionError: the table has no such pair.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        raise IllegalTransitionError(f"{event.name} can't happen in {state.name}") from None


def diagram() -> str:
    """Return the table as a Mermaid state diagram, one line a pair, in the table's order."""
    lines = ["stateDiagram-v2"]
    for (source, event), target in TABLE.items():
        origin = "[*]" if source is State.UNSEEN else source.value
        lines.append(f"    {origin} --> {target.value}: {event.value}")
    lines += [f"    {state.value} --> [*]" for state in State if state in FINAL]
    return "\n".join(lines) + "\n"
