"""From a live stream's own time stamps to boot time. Pure.

A network camera stamps frames by its own crystal; packets arrive later, by a delay that varies. The delay is
never negative, so the smallest `arrival - stamp` seen is the closest to the truth. It is kept as the offset and
let rise slowly, to follow a camera whose clock runs slower than ours. It falls by at most half of each step, so
that frames which were queued while a stream was opened keep some time between them. A stamp that jumps (a stream
restarted, a counter wrapped) starts anew.
"""

from dataclasses import dataclass

_NS = 1_000_000_000
JUMP_NS = 2 * _NS  # a network hiccup delays frames by less; a restarted counter moves them by more
DRIFT_PPM = 200  # crystals in cameras are within 100; twice that is safe and slow to see


@dataclass(slots=True)
class Timeline:
    """Maps the time stamps of one live stream to CLOCK_BOOTTIME, always rising.

    Attributes:
        jumps: how often the stream's own time started anew.
    """

    jumps: int = 0
    _offset_ns: int | None = None
    _last_ns: int = 0
    _last_arrival_ns: int = 0
    _last_stamp_ns: int = 0

    def place(self, stamp_ns: int, arrival_ns: int) -> int:
        """Return the boot time of a frame stamped `stamp_ns` that arrived at boot time `arrival_ns`.

        In a steady stream never later than its arrival; always later than the frame before.
        """
        seen = arrival_ns - stamp_ns
        if self._offset_ns is None:
            self._offset_ns = seen
        elif abs(seen - self._offset_ns) > JUMP_NS:
            self.jumps += 1
            self._offset_ns = seen
        else:
            risen = self._offset_ns + (arrival_ns - self._last_arrival_ns) * DRIFT_PPM // 1_000_000
            lowest = self._offset_ns - max(stamp_ns - self._last_stamp_ns, 0) // 2
            self._offset_ns = max(min(seen, risen), lowest)
        self._last_arrival_ns, self._last_stamp_ns = arrival_ns, stamp_ns
        self._last_ns = max(stamp_ns + self._offset_ns, self._last_ns + 1)
        return self._last_ns
