"""The owner's phones: what the vault knows of each, and which of them may do what (protocol sections 3, 10, 11).

A phone is named by the kid of its sign key. The first phone that was ever paired is admitted; a later one
waits: it may decline, but it sees no footage and can't share, act or admit until an admitted phone or the
console lets it in. An unpaired phone is nobody, and its keys never come back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from agent.core.ids import Kid


class PhoneState(StrEnum):
    """What a phone may do."""

    WAITING = "waiting"
    ADMITTED = "admitted"
    UNPAIRED = "unpaired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A phone as far as decisions need it; `sign_pub` is 32 raw bytes."""

    kid: Kid
    sign_pub: bytes
    state: PhoneState

    @property
    def is_admitted(self) -> bool:
        """Whether it may see footage, share and act."""
        return self.state is PhoneState.ADMITTED

    @property
    def is_paired(self) -> bool:
        """Whether it is one of the house at all; enough to decline and to stop."""
        return self.state in {PhoneState.ADMITTED, PhoneState.WAITING}


def state_when_paired(known: Iterable[Phone]) -> PhoneState:
    """Return the state of a phone that pairs now.

    Only the very first one is admitted by pairing. When every phone was unpaired the console admits the next
    one; otherwise whoever unpairs the last phone could walk in with their own.
    """
    return PhoneState.WAITING if any(True for _ in known) else PhoneState.ADMITTED
