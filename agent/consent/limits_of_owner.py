"""What the owner lets in: the settings that narrow a request, never widen it.

Protocol section 6: ceilings are compiled in, the directory and the owner can only lower them. Nothing in here
can approve: an owner's setting is compared with a request, and the answer is that the request may be shown.
"""

from dataclasses import dataclass, field
from typing import Final

FLOOR_AREA_M2: Final = 65_000  # section 6: smaller would point at one house


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a request may ask for: seconds and square metres."""

    window_s: int
    area_m2: int
    lookback_s: int
    ttl_s: int


CEILINGS: Final = Limits(
    window_s=43_200, area_m2=1_300_000, lookback_s=2_592_000, ttl_s=604_800
)  # section 6, after Ring's published 12 h and 0.025-0.5 square miles


@dataclass(frozen=True, slots=True)
class OwnerLimits:
    """The owner's settings at one moment; None leaves a ceiling as it is."""

    enabled: bool
    muted: frozenset[str] = field(default_factory=frozenset)
    window_s: int | None = None
    area_m2: int | None = None
    lookback_s: int | None = None

    def receives_from(self, agency: str) -> bool:
        """Say whether the owner receives requests at all and has not muted this agency (check 12)."""
        return self.enabled and agency not in self.muted

    def narrow(self, directory: Limits) -> Limits:
        """Return ceilings ∩ directory ∩ owner, each figure the lowest of the three."""
        return Limits(
            window_s=_lowest(CEILINGS.window_s, directory.window_s, self.window_s),
            area_m2=_lowest(CEILINGS.area_m2, directory.area_m2, self.area_m2),
            lookback_s=_lowest(CEILINGS.lookback_s, directory.lookback_s, self.lookback_s),
            ttl_s=min(CEILINGS.ttl_s, directory.ttl_s),
        )


def _lowest(ceiling: int, directory: int, owner: int | None) -> int:
    lowest = min(ceiling, directory)
    return lowest if owner is None else min(lowest, owner)
