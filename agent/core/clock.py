"""Time as a port, in two kinds that are never mixed: protocol section 16.

Boot time (CLOCK_BOOTTIME, nanoseconds) measures durations and stamps frames. UTC (milliseconds) is a claim,
taken once for each decision, and trusted or not.
"""

from typing import Protocol

from agent.core.ids import Id


class Clock(Protocol):
    """What the house reads time from. Tests hand in one that stands still until it is told."""

    def boot_ns(self) -> int:
        """Return CLOCK_BOOTTIME in nanoseconds."""
        ...

    def utc_ms(self) -> int:
        """Return UTC in milliseconds since 1970, whether it is right or not."""
        ...

    def synchronised(self) -> bool:
        """Say whether the kernel and the time service call UTC synchronised."""
        ...

    def boot_id(self) -> Id:
        """Return the id of this boot of the kernel."""
        ...
