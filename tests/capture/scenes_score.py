"""How well flags agree with a scene's truth, in the terms of a recorder: frames, events, false time, delay."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from agent.capture.motion import MotionKernel
from agent.capture.motion_events import events_of, mark

Flags = Sequence[bool]
Flagger = Callable[[Sequence[npt.NDArray[np.uint8]], Sequence[float]], Flags]
"""Frames and their times in ms to one flag a frame."""

_NEAR_FRAMES = 3


@dataclass
class Score:
    """Sums over scenes; frames whose truth is open count for nothing."""

    hits: int = 0
    misses: int = 0
    false: int = 0
    empty: int = 0
    events: int = 0
    found: int = 0
    false_events: int = 0
    delays_s: list[float] = field(default_factory=list)

    def add(self, flags: Flags, times_ms: Sequence[float], truth: Sequence[int]) -> None:
        """Add one scene."""
        flagged, real = np.asarray(flags, bool), np.asarray(truth)
        self.hits += int((flagged & (real == 1)).sum())
        self.misses += int((~flagged & (real == 1)).sum())
        self.false += int((flagged & (real == 0)).sum())
        self.empty += int((real == 0).sum())
        for first, last in events_of([bool(t) for t in real != 0]):
            seen = np.flatnonzero(flagged[first : last + 1])
            there = np.flatnonzero(real[first : last + 1] == 1)
            if not len(there):
                continue
            self.events += 1
            if len(seen):
                self.found += 1
                self.delays_s.append(max(0.0, (times_ms[first + seen[0]] - times_ms[first + there[0]]) / 1000))
        for first, last in events_of(list(flagged)):
            if not (real[max(0, first - _NEAR_FRAMES) : last + 1 + _NEAR_FRAMES] != 0).any():
                self.false_events += 1

    @property
    def recall(self) -> float:
        """Share of the frames with someone in them that were flagged."""
        return self.hits / max(1, self.hits + self.misses)

    @property
    def precision(self) -> float:
        """Share of the flagged frames that had someone in them."""
        return self.hits / max(1, self.hits + self.false)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.hits / max(1, 2 * self.hits + self.false + self.misses)

    @property
    def false_rate(self) -> float:
        """Share of the frames with nobody in them that were flagged."""
        return self.false / max(1, self.empty)

    @property
    def delay_s(self) -> float:
        """Mean time from the first frame with someone to the first flag."""
        return float(np.mean(self.delays_s)) if self.delays_s else 0.0


def kernel_flags(frames: Sequence[npt.NDArray[np.uint8]], times_ms: Sequence[float]) -> Flags:
    """The kernel as it ships, one default, marked as `doorbell motion` marks."""
    kernel = MotionKernel((frames[0].shape[1], frames[0].shape[0]))
    return mark(times_ms, [kernel.step(frame, t_ms) for frame, t_ms in zip(frames, times_ms, strict=True)])
