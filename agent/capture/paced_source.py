"""Footage played as a camera: in real time, or as fast as it is read.

In real time the first frame is taken now, each other one as much later as its stamp says, and its capture time is
that moment. A reader that is late gets the missed frames at once, unless it is later than two seconds: then the
rest of the play moves, which leaves a gap in the stamps as a stopped camera would.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from agent.capture.pyav_input import Shape, Unit
from agent.capture.source import CameraSettings, FrameCount, Moment, StreamInfo
from agent.capture.stage import Stage, make_stage
from agent.core.clock import Clock
from agent.core.errors import TroubleError

_NS = 1_000_000_000
MOST_LATE_NS = 2 * _NS


@dataclass(frozen=True, slots=True)
class Play:
    """How a file is played.

    Attributes:
        loop: begin again at the end.
        realtime: wait for each frame's moment; else frames come as fast as they are read, with the same stamps.
    """

    loop: bool = False
    realtime: bool = True


class Footage(Protocol):
    """One pass through a file, a folder of pictures or a drawn scene."""

    @property
    def shape(self) -> Shape:
        """What the pictures are like."""
        ...

    @property
    def frame_ns(self) -> int:
        """Nominal time of one frame."""
        ...

    def next(self) -> Unit | None:
        """Return the next picture, None at the end."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


class PacedSource:
    """Plays footage (see `agent.capture.source.Source`).

    Args:
        shown: how the footage is named to people.
        roll: opens it from its start.
        settings: `[camera]`.
        clock: stamps frames.
        play: how.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        shown: str,
        roll: Callable[[], Footage],
        settings: CameraSettings,
        clock: Clock,
        play: Play,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._shown, self._roll = shown, roll
        self._settings, self._clock, self._play, self._sleep = settings, clock, play, sleep
        self.count = FrameCount()
        self._footage: Footage | None = None
        self._stage: Stage | None = None
        self._pending: tuple[Unit, int] | None = None

    def open(self) -> StreamInfo:
        """See `Source.open`."""
        self.close()
        with ExitStack() as undo:
            undo.callback(self.close)
            self._footage = footage = self._roll()
            first = footage.next()
            if first is None:
                text = f"there is no picture in {self._shown}; check [camera] source"
                raise TroubleError("camera-unreadable", text)
            self._stage = stage = make_stage(footage.shape, first, self._settings)
            undo.pop_all()
        self._origin_ns = self._clock.boot_ns() - first.stamp_ns
        self._last_ns = 0
        self._pending = (first, self._place(first))
        return stage.info

    def read(self, timeout_s: float) -> Moment:
        """See `Source.read`."""
        if self._stage is None:
            raise TroubleError("camera-failed", "the camera is not open")
        unit, capture_ns = self._pending or self._advance()
        self._pending = (unit, capture_ns)
        if self._play.realtime:
            capture_ns = self._wait(unit, capture_ns, timeout_s)
        self._pending = None
        luma, packets = self._stage.work(unit, capture_ns)
        self._last_ns = capture_ns
        self.count.taken += 1 + unit.broken
        self.count.dropped += unit.broken
        self.count.given += 1
        return Moment(capture_ns, luma, packets, unit.broken)

    def close(self) -> None:
        """See `Source.close`."""
        footage, self._footage = self._footage, None
        self._stage = self._pending = None
        if footage is not None:
            footage.close()

    def _place(self, unit: Unit) -> int:
        return max(self._origin_ns + unit.stamp_ns, self._last_ns + 1)

    def _advance(self) -> tuple[Unit, int]:
        footage = self._footage
        unit = footage.next() if footage is not None else None
        if unit is None and footage is not None and self._play.loop:
            footage.close()
            following_ns = self._last_ns + footage.frame_ns
            self._footage = self._roll()
            unit = self._footage.next()
            if unit is not None:
                self._origin_ns = following_ns - unit.stamp_ns
        if unit is None:
            text = f"{self._shown} is over; add ?loop=1 to [camera] source to play it again"
            raise TroubleError("camera-ended", text)
        return unit, self._place(unit)

    def _wait(self, unit: Unit, capture_ns: int, timeout_s: float) -> int:
        left_ns = capture_ns - self._clock.boot_ns()
        if left_ns < -MOST_LATE_NS:
            self._origin_ns -= left_ns
            return self._place(unit)
        if left_ns > timeout_s * _NS:
            self._sleep(timeout_s)
            raise TroubleError("not-due", f"the next picture of {self._shown} is not due yet")
        if left_ns > 0:
            self._sleep(left_ns / _NS)
        return capture_ns
