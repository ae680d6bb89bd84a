"""Packets in, segments out: where clips begin and end, and where they are cut. Pure.

Rules of this room:

1. Every cut is at a key frame, so every segment can be decoded alone, and the next clip can always go on with
   the very next frame. A clip that was stopped therefore ends before the first key frame after the stop.
2. Every packet that is pushed while a clip is open is in exactly one segment, once, in order.
3. A segment ends where the next frame begins, held or not; only when the camera has gone is that guessed.
4. What could not be held is counted, and cut off: after a loss nothing is taken until the next key frame.
5. A silence of more than `MAX_GAP_NS` ends a clip: a still picture of that length would not be the truth.

    idle --start--> open --stop, key frame--> idle
                    open --split, key frame--> open (the next clip)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.buffer.packet import Encoded
from agent.core.errors import BugError
from agent.core.segment_file import TriggerKind

MAX_GAP_NS: Final = 10_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment, cut and ready to be muxed.

    Attributes:
        clip: number of its clip, from 1; trigger: what started that.
        clip_ns: boot time of the clip's first frame.
        n: its place in the clip, from 0.
        packets: its frames in order, the first a key frame.
        end_ns: boot time at which the last frame ends.
        dropped: frames lost in it.
        is_last: the clip ends with it.
    """

    clip: int
    trigger: TriggerKind
    clip_ns: int
    n: int
    packets: tuple[Encoded, ...]
    end_ns: int
    dropped: int
    is_last: bool

    @property
    def bytes(self) -> int:
        """Return the length of all packets."""
        return sum(len(one.data) for one in self.packets)


class Cutter:
    """Cuts clips into segments.

    Args:
        segment_ns: about how long a segment is; the cut is at the key frame that is nearest to it.
        frame_ns: how long a last frame lasts when nothing follows it and nothing came before it.
    """

    def __init__(self, *, segment_ns: int, frame_ns: int) -> None:
        self._segment_ns = segment_ns
        self._frame_ns = frame_ns
        self._clip = 0
        self._trigger: TriggerKind | None = None  # None: idle
        self._clip_ns = 0
        self._last_ns = -1
        self._n = 0
        self._packets: list[Encoded] = []
        self._key_ns = 0
        self._dropped = 0
        self._is_broken = False
        self._stop_ns: int | None = None
        self._split: tuple[int, TriggerKind] | None = None
        self.open_bytes = 0

    @property
    def is_open(self) -> bool:
        """A clip is open, perhaps only until the next key frame."""
        return self._trigger is not None

    def start(self, trigger: TriggerKind, pre_roll: Iterable[Encoded]) -> list[Segment]:
        """Open a clip with what the ring still holds: from a key frame on, or nothing.

        Returns:
            What is already complete of it: a long pre-roll is cut like anything else.

        Raises:
            BugError: a clip is open; `split` takes over from it.
        """
        if self._trigger is not None:
            raise BugError("a clip is open")
        self._open(trigger)
        return [segment for packet in pre_roll for segment in self.push(packet)]

    def stop(self, at_ns: int) -> None:
        """End the open clip before the first key frame after `at_ns`. Ignored while idle."""
        if self.is_open:
            self._stop_ns = at_ns

    def split(self, at_ns: int, trigger: TriggerKind) -> None:
        """End the open clip before the first key frame at or after `at_ns`, and begin the next one with it.

        Takes back a stop that no key frame has followed yet. Ignored while idle.
        """
        if self.is_open:
            self._split = (at_ns, trigger)
            self._stop_ns = None

    def lost(self, count: int = 1) -> None:
        """Note that `count` frames were lost before they came here; the stream itself is whole."""
        self._dropped += count if self.is_open else 0

    def discard(self) -> None:
        """Note that the next packet could not be taken: nothing is, until a key frame."""
        if self.is_open:
            self._dropped += 1
            self._is_broken = True

    def push(self, packet: Encoded) -> list[Segment]:
        """Take the next packet and return the segment that it completes, if any. Ignored while idle."""
        if self._trigger is None:
            return []
        if packet.capture_ns <= self._last_ns:
            self.discard()
            return []
        gap = bool(self._packets) and packet.capture_ns - self._last_ns > MAX_GAP_NS
        if not packet.is_keyframe:
            if gap or self._is_broken or not self._packets:
                self.discard()
            else:
                self._take(packet)
            return []
        done = self._at_keyframe(packet, self._trigger, has_gap=gap)
        self._is_broken = False
        if self.is_open:
            self._take(packet)
        return done

    def close(self) -> list[Segment]:
        """End the open clip with its last frame: the camera has gone, or the recorder stops."""
        done = [self._cut(self._guessed_end_ns(), is_last=True)] if self._packets else []
        self._idle()
        return done

    def _at_keyframe(self, packet: Encoded, trigger: TriggerKind, *, has_gap: bool) -> list[Segment]:
        """Decide what ends before this key frame."""
        now_ns = packet.capture_ns
        stops = self._stop_ns is not None and now_ns > self._stop_ns
        splits = self._split is not None and now_ns >= self._split[0]
        if stops or splits or has_gap:
            end_ns = self._guessed_end_ns() if has_gap else now_ns
            next_trigger = self._split[1] if splits and self._split is not None else trigger
            done = [self._cut(end_ns, is_last=True)] if self._packets else []
            stop_ns, split = self._stop_ns, None if splits else self._split
            self._idle()
            if not stops:
                self._open(next_trigger)
                self._stop_ns, self._split = stop_ns, split  # a gap ended the clip before their time
            return done
        if not self._packets:
            return []
        gop_ns = now_ns - self._key_ns
        if self._is_broken or now_ns - self._packets[0].capture_ns + gop_ns // 2 >= self._segment_ns:
            return [self._cut(now_ns, is_last=False)]
        return []

    def _take(self, packet: Encoded) -> None:
        if packet.is_keyframe:
            self._key_ns = packet.capture_ns
            if not self._packets and self._n == 0:
                self._clip_ns = packet.capture_ns
        self._packets.append(packet)
        self._last_ns = packet.capture_ns
        self.open_bytes += len(packet.data)

    def _cut(self, end_ns: int, *, is_last: bool) -> Segment:
        if self._trigger is None:
            raise BugError("no clip is open")
        segment = Segment(
            clip=self._clip,
            trigger=self._trigger,
            clip_ns=self._clip_ns,
            n=self._n,
            packets=tuple(self._packets),
            end_ns=end_ns,
            dropped=self._dropped,
            is_last=is_last,
        )
        self._n += 1
        self._packets = []
        self._dropped = 0
        self.open_bytes = 0
        return segment

    def _guessed_end_ns(self) -> int:
        last_ns = self._packets[-1].capture_ns
        before = self._packets[-2].capture_ns if len(self._packets) > 1 else last_ns - self._frame_ns
        return last_ns + min(last_ns - before, self._frame_ns * 4)

    def _open(self, trigger: TriggerKind) -> None:
        self._clip += 1
        self._trigger = trigger
        self._n = 0

    def _idle(self) -> None:
        self._trigger = self._stop_ns = self._split = None
        self._packets = []
        self._dropped = self.open_bytes = 0
        self._is_broken = False
