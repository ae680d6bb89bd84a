"""All recent packets, in one byte buffer that never grows.

Packets lie one behind the other; one that does not fit before the end starts at 0 again. The index is made of
preallocated lists (reading a numpy scalar costs three times as much). Whole GOPs leave at the old end, so that
what is held always starts with a key frame. One thread uses a ring.

Invariants; `tail <= sequence < head` are the packets held:

- B1  the buffer and the index never change their size.
- B2  0 <= head - tail <= max_packets.
- B3  the oldest packet is a key frame, or nothing is held.
- B4  every packet lies in one piece within the buffer, and no two overlap.
- B5  `capture_ns` rises strictly from packet to packet.
- B6  pushed = held + evicted + discarded, in packets.
- B7  the key frames listed are exactly those held.

A packet that can't be held is discarded and counted: one before the first key frame, an empty one, one larger
than the buffer, one whose time does not rise, one whose GOP alone fills the buffer (which then goes with it).
After a loss packets are discarded until the next key frame, because nothing could decode them.
"""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, TypeVar

import numpy as np

from agent.buffer.snapshot import Snapshot
from agent.core.errors import BugError

T = TypeVar("T", int, bool)

_NOWHERE: Final = -1  # as a limit: nothing fits, the next push takes the slow path


class Ring:
    """A ring of packets, bounded by bytes and by count.

    Args:
        capacity_bytes: of the buffer; all of it is touched at once, so that memory never grows later.
        max_packets: how many packets it can hold.
    """

    __slots__ = (
        "_buffer", "_dropped", "_full_at", "_head", "_keyframes", "_keys", "_limit", "_max_packets", "_newest_ns",
        "_readonly", "_refused", "_starts", "_tail", "_times_ns", "_turn", "_view", "_write",
    )  # fmt: skip

    def __init__(self, *, capacity_bytes: int, max_packets: int) -> None:
        if capacity_bytes < 1 or max_packets < 1:
            raise ValueError("a ring holds at least one packet of one byte")
        self._buffer = np.empty(capacity_bytes, np.uint8)
        self._buffer.fill(0)  # np.zeros would leave the pages to be taken later
        self._view = self._buffer.data
        self._readonly = self._view.toreadonly()
        self._max_packets = max_packets
        self._starts = [0] * max_packets
        self._times_ns = [0] * max_packets
        self._keyframes = [False] * max_packets
        self._keys: deque[int] = deque(maxlen=max_packets)
        self._head = self._tail = 0
        self._full_at = max_packets
        self._write = 0
        self._turn = 0  # where the packets before the last wrap end
        self._limit = _NOWHERE
        self._newest_ns = -1
        self._refused = self._dropped = 0

    def push(self, data: memoryview | bytes, capture_ns: int, *, is_keyframe: bool) -> bool:
        """Take a copy of one packet; evict whole GOPs from the old end to make room.

        Args:
            data: contiguous bytes (uint8).
            capture_ns: boot time of the frame, above the last one's.
            is_keyframe: decoding can start here.

        Returns:
            Whether it is held. If not, it was discarded.
        """
        head = self._head
        start = self._write
        end = start + len(data)
        # One test for the usual packet; whatever is special about it is looked at in `_make_room`.
        if is_keyframe or not start < end <= self._limit or head == self._full_at or capture_ns <= self._newest_ns:
            start = self._make_room(len(data), capture_ns, is_keyframe=is_keyframe)
            if start == _NOWHERE:
                return False
            end = start + len(data)
        self._view[start:end] = data
        slot = head % self._max_packets
        self._starts[slot] = start
        self._times_ns[slot] = self._newest_ns = capture_ns
        self._write = end
        self._head = head + 1
        return True

    def _make_room(self, length: int, capture_ns: int, *, is_keyframe: bool) -> int:
        """Return where a packet of `length` bytes may start; `_NOWHERE` when it was discarded."""
        fits = 0 < length <= len(self._view) and capture_ns > self._newest_ns
        if not fits or not (is_keyframe or self._limit != _NOWHERE):
            return self._discard()
        start = self._place(length)
        while start == _NOWHERE:
            if not is_keyframe and len(self._keys) == 1:
                self._dropped += self._drop_gop()
                return self._discard()
            self._drop_gop()
            start = self._place(length)
        if is_keyframe:
            self._keys.append(self._head)
            self._keyframes[self._head % self._max_packets] = True
        return start

    def _discard(self) -> int:
        """Count one packet that is not held, and take none until a key frame comes."""
        self._refused += 1
        self._limit = _NOWHERE
        return _NOWHERE

    def _place(self, length: int) -> int:
        """Return where `length` bytes fit now, and set the limit up to which the next ones do."""
        size = len(self._view)
        if self._head == self._tail:
            self._write, self._limit = 0, size
            return 0
        if self._head == self._full_at:
            return _NOWHERE
        oldest = self._starts[self._tail % self._max_packets]
        if self._write > oldest:
            if self._write + length <= size:
                self._limit = size
                return self._write
            if length > oldest:
                return _NOWHERE
            self._turn, self._limit = self._write, oldest
            return 0
        self._limit = oldest
        return self._write if self._write + length <= oldest else _NOWHERE

    def _drop_gop(self) -> int:
        """Let the oldest GOP go; returns its packets."""
        self._keyframes[self._keys.popleft() % self._max_packets] = False
        tail = self._keys[0] if self._keys else self._head
        count = tail - self._tail
        self._tail = tail
        self._full_at = tail + self._max_packets
        return count

    def clear(self) -> None:
        """Let everything go: a new stream begins, whose packets must not mix with the old one's."""
        while self._keys:
            self._drop_gop()
        self._limit = _NOWHERE

    def __len__(self) -> int:
        return self._head - self._tail

    @property
    def pushed(self) -> int:
        """Return how many packets came."""
        return self._head + self._refused

    @property
    def evicted(self) -> int:
        """Return how many packets left because newer ones came."""
        return self._tail - self._dropped

    @property
    def discarded(self) -> int:
        """Return how many packets were lost: not taken, or thrown away with their GOP."""
        return self._refused + self._dropped

    @property
    def capacity_bytes(self) -> int:
        """Return the size of the buffer."""
        return len(self._view)

    @property
    def head(self) -> int:
        """Return the sequence number that the next packet gets."""
        return self._head

    def snapshot(self, from_ns: int, *, after: int = -1) -> Snapshot:
        """Return the packets from the last key frame at or before `from_ns` on, without a copy.

        Args:
            from_ns: boot time. When nothing that old is held, the answer starts with the oldest packet.
            after: sequence numbers up to this one are left out; the answer starts with a key frame all the same.
        """
        first = self._head
        for key in reversed(self._keys):
            if key <= after:
                break
            first = key
            if self._times_ns[key % self._max_packets] <= from_ns:
                break
        return Snapshot(
            first,
            self._cut(self._times_ns, first),
            self._cut(self._keyframes, first),
            *self._positions(first),
            self._readonly,
        )

    def _positions(self, first: int) -> tuple[list[int], list[int]]:
        """Return where each packet from `first` on starts and ends: an end is the next one's start."""
        starts = self._cut(self._starts, first)
        ends = [*starts[1:], self._write]
        if starts and starts[0] >= self._write:
            ends[ends.index(0)] = self._turn
        return starts, ends if starts else []

    def _cut(self, column: list[T], first: int) -> list[T]:
        begin, end = first % self._max_packets, self._head % self._max_packets
        if first == self._head:
            return []
        return column[begin:end] if begin < end else column[begin:] + column[:end]

    def check(self) -> None:
        """Check B1 to B7.

        Raises:
            BugError: one of them is broken.
        """
        for name, holds in self._invariants():
            if not holds:
                raise BugError(f"the ring's invariant {name} is broken")

    def _invariants(self) -> Iterator[tuple[str, bool]]:
        size, slots = len(self._view), self._max_packets
        columns: tuple[list[int] | list[bool], ...] = (self._starts, self._times_ns, self._keyframes)
        yield "B1", len(self._buffer) == size and all(len(column) == slots for column in columns)
        yield "B2", 0 <= self._head - self._tail <= slots
        held = [n % slots for n in range(self._tail, self._head)]
        yield "B3", not held or self._keyframes[held[0]]
        spans = sorted(zip(*self._positions(self._tail), strict=True))
        yield "B4", all(0 <= start < end <= size for start, end in spans)
        yield "B4", all(end <= start for (_, end), (start, _) in pairwise(spans))
        yield "B5", all(a < b for a, b in pairwise(self._times_ns[slot] for slot in held))
        yield "B6", self.pushed == len(held) + self.evicted + self.discarded and self.evicted >= 0
        keys = [n for n in range(self._tail, self._head) if self._keyframes[n % slots]]
        yield "B7", list(self._keys) == keys


class CheckedRing(Ring):
    """The same ring, with every invariant asserted at each push: for tests and for Python's development mode."""

    __slots__ = ()

    def push(self, data: memoryview | bytes, capture_ns: int, *, is_keyframe: bool) -> bool:
        """Push, then check B1 to B7."""
        held = super().push(data, capture_ns, is_keyframe=is_keyframe)
        self.check()
        return held
