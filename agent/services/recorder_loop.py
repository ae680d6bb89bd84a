"""One frame through the house: motion, trigger, ring, cutter. Never waits for disk, crypto or sockets.

Rules of this room: the effect of a frame comes before its packets, so that a clip that stops at this frame ends
before its key frame. Packets are taken by the ring always, by the cutter while a clip is open. What does not fit
the byte budget is dropped up to the next key frame, and counted.
"""

import logging
from collections.abc import Callable
from typing import Final

from agent.buffer.ring import Ring
from agent.buffer.segment import Cutter, Segment
from agent.capture.motion import MotionKernel, MotionResult
from agent.capture.source import Moment, Packet, StreamInfo
from agent.capture.trigger import Start, Stop, Trigger
from agent.core.segment_file import TriggerKind
from agent.services.segment_writer import SegmentWriter

log = logging.getLogger(__name__)

_NS_PER_MS: Final = 1_000_000


class RecorderLoop:
    """The hot loop's state; used by one thread.

    Args:
        make_kernel: a motion kernel for a luma plane of (width, height).
        trigger: when to record.
        ring: recent packets.
        cutter: the open clip.
        writer: where segments go.
        budget_bytes: what the open segment and the writer may hold together.
        may_record: there is someone who can open what is recorded.
        pre_roll_ns: how far a clip reaches back before the first frame of its motion.
    """

    def __init__(
        self,
        *,
        make_kernel: Callable[[tuple[int, int]], MotionKernel],
        trigger: Trigger,
        ring: Ring,
        cutter: Cutter,
        writer: SegmentWriter,
        budget_bytes: int,
        may_record: Callable[[], bool],
        pre_roll_ns: int,
    ) -> None:
        self._make_kernel = make_kernel
        self._trigger = trigger
        self._ring = ring
        self._cutter = cutter
        self._writer = writer
        self._budget_bytes = budget_bytes
        self._may_record = may_record
        self._pre_roll_ns = pre_roll_ns
        self._kernel: MotionKernel | None = None
        self._info: StreamInfo | None = None
        self._taken = -1  # the last packet of the ring that is in a clip
        self._refused: TriggerKind | None = None  # why a clip would be open, if there were someone to open it
        self.motion: MotionResult | None = None
        self.dropped_frames = 0
        self.pre_roll_short_ms = 0

    @property
    def is_recording(self) -> bool:
        """A clip is open."""
        return self._cutter.is_open

    @property
    def is_overfull(self) -> bool:
        """The byte budget is used up: what comes now is dropped."""
        return self._cutter.open_bytes + self._writer.backlog_bytes >= self._budget_bytes

    def begin(self, info: StreamInfo) -> None:
        """Start with a new stream; what is open of the last one is finished."""
        self.end()
        self._ring.clear()
        self._info = info
        self._kernel = self._make_kernel(info.motion_size)

    def end(self) -> None:
        """Finish the open clip with its last frame: the camera has gone, or the recorder stops."""
        self._trigger.close()
        self._hand_over(self._cutter.close())

    def step(self, moment: Moment, *, press: bool) -> None:
        """Take one frame and the packets that came with it; `begin` was called for their stream."""
        if self._kernel is None:
            return
        motion = self.motion = self._kernel.step(moment.luma, moment.capture_ns / _NS_PER_MS)
        effect = self._trigger.step(moment.capture_ns, motion.motion, press=press)
        if isinstance(effect, Stop):
            self._cutter.stop(effect.at_ns)
        elif isinstance(effect, Start):
            from_ns = effect.from_ns
            if motion.motion:  # it is believed later than it began, and the visitor was there from the beginning
                from_ns = min(from_ns, round(motion.began_ms * _NS_PER_MS) - self._pre_roll_ns)
            self._start(effect.trigger, from_ns, moment.capture_ns)
        elif effect is not None:
            self._start(effect.trigger, effect.at_ns, effect.at_ns)
        elif self._refused is not None and self._trigger.recording:
            self._start(self._refused, moment.capture_ns, moment.capture_ns)
        if moment.dropped:
            self._cutter.lost(moment.dropped)
        for packet in moment.packets:
            self._take(packet)

    def _start(self, trigger: TriggerKind, from_ns: int, now_ns: int) -> None:
        if self._cutter.is_open:
            self._cutter.split(now_ns, trigger)
            return
        if not self._may_record():
            self._refused = trigger
            return
        self._refused = None
        snapshot = self._ring.snapshot(from_ns, after=self._taken)
        oldest_ns = snapshot.times_ns[0] if snapshot.times_ns else now_ns
        self.pre_roll_short_ms = 0
        if oldest_ns > from_ns and snapshot.first > self._taken + 1:
            self.pre_roll_short_ms = (oldest_ns - from_ns) // _NS_PER_MS
            log.info("recorder: the pre-roll is %d ms short: the ring holds no more", self.pre_roll_short_ms)
        self._taken = self._ring.head - 1
        self._hand_over(self._cutter.start(trigger, snapshot.detached()))

    def _take(self, packet: Packet) -> None:
        held = self._ring.push(packet.data, packet.capture_ns, is_keyframe=packet.is_keyframe)
        if not self._cutter.is_open:
            return
        if self.is_overfull:
            self._cutter.discard()
            self.dropped_frames += 1
            return
        self._hand_over(self._cutter.push(packet))
        if held and self._cutter.is_open:
            self._taken = self._ring.head - 1

    def _hand_over(self, segments: list[Segment]) -> None:
        if self._info is not None:
            for segment in segments:
                self._writer.offer(segment, self._info)
