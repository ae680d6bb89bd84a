"""What has to go: a pure decision (architecture, "One frame's way", 5).

Rules of this room:

1. Bytes first, then age; oldest first in the order of arrival, which no clock can change.
2. Age only with a trusted clock, and only of segments whose time is known. A clock that is wrong deletes nothing.
3. What is pinned stays, even above the limit: then the answer frees less than was asked for, and says so.
4. A pass that has to free bytes frees a little more than it must, so that a full store is not swept at every
   segment: each sweep costs fsyncs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.core.ids import Id

DAY_MS: Final = 86_400_000
SLACK_FRACTION: Final = 1 / 64  # of max_bytes, freed beyond the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A stored segment, as retention sees it.

    Attributes:
        i: its place in the order of arrival.
        id: the segment.
        bytes: of its file.
        until_ms: when it ended, UTC, or None where that is not known.
        pinned: an approval, a choosing phone or the owner keeps it.
    """

    i: int
    id: Id
    bytes: int
    until_ms: int | None
    pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What one pass takes.

    Attributes:
        ids: to evict, oldest first.
        bytes: that this frees.
        short_bytes: above the limit even then, because the rest is pinned.
    """

    ids: tuple[Id, ...]
    bytes: int
    short_bytes: int


def sweep(
    oldest: Iterable[Held], *, total_bytes: int, max_bytes: int, max_age_days: int, now_ms: int | None
) -> Sweep:
    """Decide what has to go.

    Args:
        oldest: every segment in order of arrival; read only as far as needed.
        total_bytes: of all segments held.
        max_bytes: what they may take.
        max_age_days: how long they may stay.
        now_ms: UTC while it is trusted, else None.
    """
    ids: list[Id] = []
    freed_bytes = 0
    must_bytes = total_bytes - max_bytes
    want_bytes = must_bytes + int(max_bytes * SLACK_FRACTION) if must_bytes > 0 else 0
    limit_ms = None if now_ms is None else now_ms - max_age_days * DAY_MS
    for one in oldest:
        for_bytes = freed_bytes < want_bytes
        for_age = limit_ms is not None and one.until_ms is not None and one.until_ms < limit_ms
        if not for_bytes and not for_age and _is_young(one, limit_ms):
            break
        if not one.pinned and (for_bytes or for_age):
            ids.append(one.id)
            freed_bytes += one.bytes
    return Sweep(ids=tuple(ids), bytes=freed_bytes, short_bytes=max(0, must_bytes - freed_bytes))


def _is_young(one: Held, limit_ms: int | None) -> bool:
    """Say whether nothing that follows can be too old: this one isn't, and its time is known."""
    return limit_ms is None or (one.until_ms is not None and one.until_ms >= limit_ms)
