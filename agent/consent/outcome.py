"""What the checks of a request ask for and what they answer: protocol section 7."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from agent.consent.request import Request
from agent.core.ids import Id, Sha256


@dataclass(frozen=True, slots=True)
class FloodCounts:
    """The four figures of check 15, of requests that passed 12-14, before this one."""

    open_agency: int
    agency_case_30d: int
    pending: int
    passed_24h: int


Seen: TypeAlias = Callable[[Id], Sha256 | None]
Overlaps: TypeAlias = Callable[[int, int], bool]
Counts: TypeAlias = Callable[[Request], FloodCounts]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the checks say of one message.

    Attributes:
        code: `OK`, or the code of section 7 of the first check that did not pass: E refused and counted,
            I normal and silent, D put off and nothing stored.
        check: the number of that check, 0 when all that were asked for passed.
        why: one line for the log; ids and forms, never the content of a message.
        request: the parsed payload once check 5 passed.
        payload_sha256: of the payload's bytes, once check 5 passed.
        remember: the id is new and checks 1-10 passed: keep it with the hash until `exp`.
        needs_agency: put off for want of this agency's file: look it up and check again from 4 on.
        needs_version: put off because the request names this higher directory version.
        needs_dispatch: put off because no directory is held or no known dispatch key fits.
    """

    code: str
    check: int
    why: str = ""
    request: Request | None = None
    payload_sha256: Sha256 | None = None
    remember: bool = False
    needs_agency: str | None = None
    needs_version: int | None = None
    needs_dispatch: bool = False
