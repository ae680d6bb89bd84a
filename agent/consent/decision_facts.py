"""What the vault knows at the moment of the owner's decision, read once and handed to the checks of section 11."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.consent.consent_form import RequestRef, SegmentRef
from agent.consent.nonces import Nonces
from agent.consent.phones import Phone
from agent.consent.states import State
from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid


class RecheckError(RefusedError):
    """The request itself no longer holds: its re-check gave an E result, and it is to be CANCELLED.

    Attributes:
        code: C_STATE.
        recheck: the code of section 7.
    """

    def __init__(self, recheck: str) -> None:
        super().__init__("C_STATE", f"the request no longer holds ({recheck})")
        self.recheck = recheck


@dataclass(frozen=True, slots=True)
class StandingDecline:
    """The decline that holds while a request is DECLINED."""

    id: Id
    approver: Kid


def _no_recheck() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFacts:
    """What the vault knows at the moment of a decision; everything is read once.

    Attributes:
        state: where the request is.
        request: what is held of it.
        segments: the segments that match it now.
        phones: by kid, unpaired ones included.
        button_pub: the button's sign key, 32 raw bytes.
        nonces: all nonces.
        declined: the decline that holds, while DECLINED.
        now_ns: boot time, for nonces.
        now_s: UTC, for `at`.
        trusted: whether UTC is trusted (neither UNTRUSTED nor SUSPECT).
        timestamp_fresh: whether the directory's TUF timestamp has not run out.
        approvals_today: shares accepted in the last 24 h, stopped or not.
        daily_approvals: how many of them the owner allows.
        recheck: runs section 7's checks at approval and returns None or the code; asked once, of a share only.
    """

    state: State
    request: RequestRef
    segments: Sequence[SegmentRef]
    phones: Mapping[Kid, Phone]
    button_pub: bytes
    nonces: Nonces
    declined: StandingDecline | None
    now_ns: int
    now_s: int
    trusted: bool
    timestamp_fresh: bool
    approvals_today: int
    daily_approvals: int
    recheck: Callable[[], str | None] = _no_recheck
