"""A clock that stands still until it is told."""

from agent.core.ids import Id, new_id


class FakeClock:
    """Implements `agent.core.clock.Clock`."""

    def __init__(self, utc_s: int = 1_800_000_000) -> None:
        self._boot_ns = 1_000 * 10**9
        self._utc_ms = utc_s * 1_000
        self.is_synchronised = True
        self._boot = new_id()

    def boot_ns(self) -> int:
        return self._boot_ns

    def utc_ms(self) -> int:
        return self._utc_ms

    def synchronised(self) -> bool:
        return self.is_synchronised

    def boot_id(self) -> Id:
        return self._boot

    def pass_s(self, seconds: float) -> None:
        """Let time go by, on both clocks."""
        self._boot_ns += int(seconds * 1e9)
        self._utc_ms += int(seconds * 1e3)

    def jump_s(self, seconds: float) -> None:
        """Move UTC alone."""
        self._utc_ms += int(seconds * 1e3)

    def reboot(self) -> None:
        """Start another boot: boot time begins anew, UTC goes on."""
        self._boot_ns = 20 * 10**9
        self._boot = new_id()
