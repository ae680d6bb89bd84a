"""Whether UTC may be trusted: protocol section 16, as a pure machine.

UNTRUSTED until the kernel's clock is synchronised and not before the floor. SUSPECT when UTC then moves more
than 24 h against boot time, at once or little by little since it was first trusted in this boot, until
[platform.json's `issued`, timestamp's expiry] brackets now, or an admitted phone confirms. The floor only rises.
Boot time is never in doubt.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

JUMP_MS: Final = 24 * 3_600_000  # section 16
# Below this a step does not matter to a clip; above it the mapping of boot time is taken anew.
DRIFT_MS: Final = 1_000
NS_PER_MS: Final = 1_000_000


class Trust(StrEnum):
    """What UTC is worth; the values are what log and status say."""

    UNTRUSTED = "unsynced"
    TRUSTED = "synced"
    SUSPECT = "suspect"


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks, read once for a decision: UTC in ms, boot time in ns, and whether UTC is trusted."""

    utc_ms: int
    boot_ns: int
    trusted: bool

    @property
    def utc_s(self) -> int:
        """UTC in whole seconds."""
        return self.utc_ms // 1_000


@dataclass(frozen=True, slots=True)
class Arrived:
    """UTC became known in this boot: UTC ms = boot ms + offset_ms. `first`: for the first time in it."""

    offset_ms: int
    first: bool


@dataclass(frozen=True, slots=True)
class Jumped:
    """UTC moved by more than a day against boot time."""

    by_ms: int


class Timekeeper:
    """Watches UTC against boot time.

    Args:
        floor_s: the persisted floor, unix seconds; UTC before it is not believed.
        offset_ms: how UTC last stood against boot time in this boot, if it was trusted then: a restart of the
            process must not hide a jump.
        anchor_ms: how it stood when it was first trusted in this boot, or was confirmed since.
        is_suspect: whether it was in doubt: a restart of the process must not end a suspicion either, not even
            where UTC stands again as it did before the jump.
    """

    def __init__(
        self,
        floor_s: int,
        offset_ms: int | None = None,
        anchor_ms: int | None = None,
        *,
        is_suspect: bool = False,
    ) -> None:
        self.floor_s = floor_s
        self.trust = Trust.SUSPECT if is_suspect else Trust.UNTRUSTED
        self._offset_ms = offset_ms
        self._anchor_ms = offset_ms if anchor_ms is None else anchor_ms

    @property
    def anchor_ms(self) -> int | None:
        """What a jump is measured against: many steps of less than a day must not add up unseen."""
        return self._anchor_ms

    def observe(self, utc_ms: int, boot_ns: int, *, synchronised: bool) -> Arrived | Jumped | None:
        """Take a look at the clocks; call it before every decision and every few seconds.

        Returns:
            What has changed, if anything.
        """
        offset_ms = utc_ms - boot_ns // NS_PER_MS
        if self._anchor_ms is not None and abs(offset_ms - self._anchor_ms) > JUMP_MS:
            by_ms, self._anchor_ms, self._offset_ms = offset_ms - self._anchor_ms, offset_ms, offset_ms
            self.trust = Trust.SUSPECT
            return Jumped(by_ms)
        if self.trust is Trust.SUSPECT:
            self._offset_ms = offset_ms
            return None
        if not synchronised or utc_ms < self.floor_s * 1_000:
            self.trust = Trust.UNTRUSTED
            return None
        known, self._offset_ms = self._offset_ms, offset_ms
        was, self.trust = self.trust, Trust.TRUSTED
        if known is None:
            self._anchor_ms = offset_ms
            return Arrived(offset_ms, first=True)
        if was is Trust.UNTRUSTED or abs(offset_ms - known) > DRIFT_MS:
            return Arrived(offset_ms, first=False)
        return None

    def bracket(self, utc_ms: int, *, issued_s: int, expires_s: int) -> bool:
        """Clear a suspicion where a verified directory brackets now; says whether it was cleared."""
        return issued_s * 1_000 <= utc_ms < expires_s * 1_000 and self.confirm()

    def confirm(self) -> bool:
        """Clear a suspicion on an admitted phone's word; says whether there was one."""
        cleared = self.trust is Trust.SUSPECT
        if cleared:
            self.trust, self._anchor_ms = Trust.TRUSTED, self._offset_ms
        return cleared

    def raise_floor(self, *, issued_s: int, last_trusted_s: int, expires_s: int) -> bool:
        """Raise the floor to max(issued, min(last trusted time, timestamp's expiry)); says whether it rose."""
        floor_s = max(self.floor_s, issued_s, min(last_trusted_s, expires_s))
        rose, self.floor_s = floor_s > self.floor_s, floor_s
        return rose
