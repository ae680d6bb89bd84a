"""The real clock: the only module that reads the time of day.

`auto`: the kernel says whether its clock is disciplined (adjtimex without STA_UNSYNC), as chrony, ntpd and
systemd-timesyncd tell it. `host`: the clock of a virtual machine or container is kept by its host.
"""

import ctypes
import time
from pathlib import Path
from typing import Final

from agent.core.ids import Id

_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
# struct timex is 208 bytes on 64-bit Linux; zeroed, its modes ask for nothing to be changed.
_TIMEX_BYTES: Final = 208


class SystemClock:
    """The `Clock` of a running device."""

    def __init__(self, mode: str) -> None:
        """Take `[device] clock`: "auto" or "host"."""
        self._host = mode == "host"
        self._adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
        self._boot_id = Id(_BOOT_ID.read_text().strip().replace("-", ""))

    def boot_ns(self) -> int:
        """Return CLOCK_BOOTTIME in nanoseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def utc_ms(self) -> int:
        """Return UTC in milliseconds."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000

    def synchronised(self) -> bool:
        """Say whether UTC is synchronised."""
        if self._host:
            return True
        state: int = self._adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        return 0 <= state < _TIME_ERROR

    def boot_id(self) -> Id:
        """Return the kernel's id of this boot."""
        return self._boot_id
