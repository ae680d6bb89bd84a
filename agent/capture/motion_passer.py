"""Something large that covers the background and goes on: a car close by, gone before evidence has gathered.

Rules of this room: pure, no allocation after construction. Where cars fill the picture every few seconds each
block becomes as restless as they are strong, and evidence counts them as it counts leaves. But leaves, rain and
noise are not one solid region, of one sign and far from the background, in which the background's texture is gone,
and which is elsewhere within a second.
"""

import math

import cv2
import numpy as np

from agent.capture import motion_numbers as n
from agent.capture.motion_background import Background
from agent.capture.motion_planes import CROSS, Mask, above, at_least
from agent.capture.motion_texture import Texture


class Passer:
    """What passes before one camera.

    `region` is where it is, `since_s` when it was first seen, `believed_s` when `passes` last said yes.
    `minimum_blocks` is the smallest area that counts for the owner.
    """

    def __init__(self, shape: tuple[int, int], texture: Texture, *, minimum_blocks: float = 0.0) -> None:
        self.region, self._was, self._mask = (np.zeros(shape, np.uint8) for _ in range(3))
        self.since_s = self.believed_s = self._seen_s = self._was_s = self._went_on_s = -math.inf
        self._texture = texture
        self._least = max(minimum_blocks, n.SOLID_FRACTION * shape[0] * shape[1])

    def passes(self, seen: Background, small: Mask, now_s: float) -> bool:
        """Look for it in one frame; return whether it is to be believed now."""
        if not self._is_there(seen, small):
            return False
        if now_s - self._seen_s > n.LOST_S:
            self.since_s = now_s
        self._seen_s = now_s
        goes_on = self._was_s >= self.since_s and self._is_elsewhere()
        if goes_on:
            self._went_on_s = now_s
        if goes_on or now_s - self._was_s > n.SOLID_WITHIN_S or self._was_s < self.since_s:
            self._was_s = now_s
            np.copyto(self._was, self.region)
        lasts = now_s - self.since_s >= n.BRIEF_LARGE_S - 1e-6
        if not lasts or self._went_on_s < max(self.since_s, now_s - n.SOLID_WITHIN_S):
            return False
        self.believed_s = now_s
        return True

    def _is_there(self, seen: Background, small: Mask) -> bool:
        """Set `region` to what is solid and above its threshold; whether that covers the background."""
        region = self.region
        above(seen.ratio, 1, region)
        if cv2.countNonZero(region) < self._least:
            return False
        at_least(small, n.WHITE_BACKGROUND, self._mask)
        cv2.subtract(region, self._mask, region)
        cv2.erode(region, CROSS, self._mask)
        cv2.dilate(self._mask, CROSS, region)
        if cv2.countNonZero(region) < self._least:
            return False
        signed, size = cv2.mean(seen.difference, region)[0], cv2.mean(seen.size, region)[0]
        if abs(signed) < max(n.THRESHOLD_CEILING, n.SOLID_ONE_SIGN * size):
            return False
        return self._texture.is_another(small, seen.mean, self._mask)

    def _is_elsewhere(self) -> bool:
        """Whether it has entered so much that is new since `_was`."""
        np.bitwise_not(self._was, out=self._mask)
        np.bitwise_and(self._mask, self.region, out=self._mask)
        return cv2.countNonZero(self._mask) > n.SOLID_GOES_ON * cv2.countNonZero(self.region)
