"""Whether the background's texture is still there: light keeps it, whoever comes in covers it.

Rules of this room: pure, no allocation after construction. Texture is what is left of a plane when its smooth
part is gone. Gain scales it, so likeness is normalised correlation over a region.
"""

import math

import cv2
import numpy as np

from agent.capture import motion_numbers as n
from agent.capture.motion_planes import Mask, Plane

_WINDOW = (n.WINDOW_BLOCKS, n.WINDOW_BLOCKS)


class Texture:
    """Compares the texture of the picture with that of the background; planes are float32 (rows, columns)."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._now, self._before, self._both, self._smooth = (np.zeros(shape, np.float32) for _ in range(4))
        self._mask = np.zeros(shape, np.uint8)

    def is_light(self, small: Mask, mean: Plane, where: Mask) -> bool:
        """Whether the texture under the change is still the background's: then only its light has changed."""
        both, now, before = self._compare(small, mean, where)
        blocks = max(1, cv2.countNonZero(where))  # few blocks may be alike by chance
        alike = both > (n.LIGHT_LIKENESS + 1 / math.sqrt(blocks)) * math.sqrt(now * before)
        return alike and now < n.LIGHT_TEXTURE * before and before > n.LIGHT_LEAST**2

    def is_covered(self, small: Mask, mean: Plane, where: Mask) -> bool:
        """Whether the background had texture there and the picture, at any gain of light, surely has not."""
        both, now, before = self._compare(small, mean, where)
        independent = max(1.0, cv2.countNonZero(where) / n.TEXTURE_BLOCKS)
        error = math.sqrt(now * before / independent)
        return before > n.LIGHT_LEAST**2 and both + 2 * error < n.GONE_GAIN * before

    def is_another(self, small: Mask, mean: Plane, where: Mask) -> bool:
        """Whether the background had texture there, and the picture has another one."""
        both, now, before = self._compare(small, mean, where)
        return before > n.LIGHT_LEAST**2 and both < n.ANOTHER_LIKENESS * math.sqrt(now * before)

    def _compare(self, small: Mask, mean: Plane, where: Mask) -> tuple[float, float, float]:
        """Return the covariance of both textures, and the energy of the picture's and of the background's."""
        self._take(small, mean)
        return (
            cv2.mean(self._both, where)[0],
            cv2.mean(self._now, where)[0],
            cv2.mean(self._before, where)[0],
        )

    def _take(self, small: Mask, mean: Plane) -> None:
        for source, out in ((small, self._now), (mean, self._before)):
            np.copyto(out, source)
            cv2.blur(out, _WINDOW, self._smooth)
            np.subtract(out, self._smooth, out=out)
            np.clip(out, -30, 30, out=out)  # one bright edge must not decide
        np.multiply(self._now, self._before, out=self._both)
        np.multiply(self._now, self._now, out=self._now)
        np.multiply(self._before, self._before, out=self._before)
