"""Words shared by the motion kernel's modules: planes of blocks, masks over them, and following in time."""

import math

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


def above(plane: Plane, level: float, out: Mask) -> None:
    """Set `out` where the plane exceeds the level."""
    cv2.compare(plane, level, cv2.CMP_GT, out)  # type: ignore[call-overload]  # the stubs know no scalars


def equal(mask: Mask, value: int, out: Mask) -> None:
    """Set `out` where the mask has the value."""
    cv2.compare(mask, value, cv2.CMP_EQ, out)  # type: ignore[call-overload]  # the stubs know no scalars


def below(plane: Plane, level: float, out: Mask) -> None:
    """Set `out` where the plane is at most the level."""
    cv2.compare(plane, level, cv2.CMP_LE, out)  # type: ignore[call-overload]  # the stubs know no scalars


def at_least(mask: Mask, value: int, out: Mask) -> None:
    """Set `out` where the picture is at least as bright as the value."""
    cv2.compare(mask, value, cv2.CMP_GE, out)  # type: ignore[call-overload]  # the stubs know no scalars
