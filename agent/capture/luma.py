"""A small luma plane out of a large one, into arrays that are made once. Pure.

INTER_AREA averages every pixel that falls into a target pixel, so that noise is not mistaken for motion. Its
general form is slow; halving by two is fast in OpenCV, so large pictures are halved as long as that still leaves
more than the target.
"""

import cv2
import numpy as np

from agent.capture.source import Luma


class Shrinker:
    """Scales luma planes of one size to `motion_size`.

    Args:
        width, height: of the planes that come in, pixels.
        motion_size: (width, height) that goes out.
    """

    def __init__(self, width: int, height: int, motion_size: tuple[int, int]) -> None:
        self._steps: list[Luma] = []
        target_width, target_height = motion_size
        while width >= 2 * target_width and height >= 2 * target_height and width % 2 == height % 2 == 0:
            width, height = width // 2, height // 2
            self._steps.append(np.zeros((height, width), np.uint8))
        if (width, height) != (target_width, target_height):
            self._steps.append(np.zeros((target_height, target_width), np.uint8))

    def shrink(self, plane: Luma) -> Luma:
        """Return uint8[motion height, motion width]: `plane` itself if it has that size, else one reused array."""
        for step in self._steps:
            cv2.resize(plane, (step.shape[1], step.shape[0]), dst=step, interpolation=cv2.INTER_AREA)
            plane = step
        return plane
