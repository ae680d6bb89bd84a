"""Words shared by the motion kernel's modules: planes of blocks, masks over them, and following in time."""

import math
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
"""float32 (rows, columns), one number for each block."""
Mask = npt.NDArray[np.uint8]
"""uint8 (rows, columns), 0 or 255."""

CROSS = np.ones((3, 3), np.uint8)
WIDE = np.ones((5, 5), np.uint8)


def share(elapsed_s: float, time_s: float) -> float:
    """The share of the way that exponential following goes in `elapsed_s`."""
    return 1.0 - math.exp(-elapsed_s / time_s)


@cache
def flat(shape: tuple[int, int], level: float) -> Plane:
    """One level everywhere, made once: a plane against a plane takes half the time of a plane against a number."""
    return np.full(shape, level, np.float32)


def above(plane: Plane, level: float, out: Mask) -> None:
    """Set `out` where the plane exceeds the level, a constant."""
    cv2.compare(plane, flat(plane.shape, level), cv2.CMP_GT, out)


def below(plane: Plane, level: float, out: Mask) -> None:
    """Set `out` where the plane is at most the level, a constant."""
    cv2.compare(plane, flat(plane.shape, level), cv2.CMP_LE, out)


def at_least(mask: Mask, value: int, out: Mask) -> None:
    """Set `out` where the picture is at least as bright as the value."""
    cv2.compare(mask, value, cv2.CMP_GE, out)  # type: ignore[call-overload]  # the stubs know no scalars
