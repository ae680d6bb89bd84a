"""What moves in the picture: one small luma plane in, one answer out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
Zone = tuple[tuple[float, float], ...]


class Why(StrEnum):
    """Why the answer is what it is, in one word; `doorbell status` says it in a sentence."""

    STILL = "still"
    LEARNING = "learning"
    MOTION = "motion"
    STANDING = "standing"
    SMALL = "small"
    BRIEF = "brief"
    SWAY = "sway"
    LIGHT = "light"
    NOISE = "noise"
    SHAKE = "shake"


class MotionResult(NamedTuple):
    """One frame's answer.

    `score` is in units of the trigger's threshold: 1.0 is just enough. `box` is x, y, width, height in luma px.
    `began_ms` is the time of the frame in which the present motion was first visible (with motion only).
    """

    score: float
    motion: bool
    box: Box | None
    why: Why
    began_ms: float


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What the owner may choose (`[motion]` in the configuration).

    `zones`: polygons in fractions of the picture in which motion counts; none means everywhere.
    `minimum_area`: the smallest moving area that counts, as a fraction of the picture.
    """

    sensitivity: int = 5
    zones: tuple[Zone, ...] = ()
    minimum_area: float = 0.0008


class MotionKernel:
    """Motion detector over preallocated arrays for one camera; `size` is (width, height) of the luma plane."""

    def __init__(self, size: tuple[int, int], settings: MotionSettings | None = None) -> None:
        self._size = size
        self._settings = settings or MotionSettings()

    def step(self, luma: Luma, t_ms: float) -> MotionResult:
        """Look at one frame, uint8 (height, width), contiguous rows not required, captured at `t_ms`."""
        height, width = luma.shape
        if (width, height) != self._size:
            raise ValueError("the frame is not of the size that the kernel was made for")
        return MotionResult(0.0, motion=False, box=None, why=Why.STILL, began_ms=t_ms)
