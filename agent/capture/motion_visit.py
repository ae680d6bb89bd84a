"""One visit: the object that has been believed, as long as it is there, moving or standing.

Rules of this room: pure, no allocation after construction. Its region grows and shrinks with what differs from the
background by a fair part of the object's own contrast. When evidence ends the visit ends, unless something with
enough of the object's energy still stands there, with its own outline (not the hole it left), small movements
now and then, and did not merely sway.
"""

import math
from typing import Literal

import cv2
import numpy as np

from agent.capture import motion_numbers as n
from agent.capture.motion_background import Background
from agent.capture.motion_evidence import Evidence
from agent.capture.motion_planes import CROSS, WIDE, Mask, Plane, above

Wait = Literal["stands", "lingers", "gone"]


class Visit:
    """The state of the present visit; `here` says whether there is one."""

    def __init__(self, shape: tuple[int, int]) -> None:
        def plane() -> Plane:
            return np.zeros(shape, np.float32)

        def mask() -> Mask:
            return np.zeros(shape, np.uint8)

        self.here = False
        self.travels = False
        self.began_s = 0.0
        self.contrast = 0.0
        self.region, self.around, self.guard = mask(), mask(), mask()
        self.floor = plane()
        self._energy = self._mean = 0.0
        self._moved_s = self._seen_s = 0.0
        self._a, self._b, self._c = plane(), plane(), plane()
        self._m, self._k = mask(), mask()

    def begin(self, seen: Background, began_s: float) -> None:
        """Believe the candidate: it has been there since `began_s`."""
        self.here, self.travels, self.began_s = True, False, began_s
        self.region.fill(0)
        np.copyto(self.floor, seen.threshold)
        self._energy = self.contrast = 0.0

    def end(self) -> None:
        """Nobody is there any more."""
        self.here = False
        self.contrast = 0.0

    def has_left(self, seen: Background) -> bool:
        """Whether what was followed is no longer where it last was: look closely now."""
        return self.here and cv2.mean(seen.size, self.region)[0] < self._mean / 2

    def move(self, seen: Background, evidence: Evidence, now_s: float, elapsed_s: float, *, travels: bool) -> bool:
        """Take in the region at the evidence's peak; False if it is too faint to be the object."""
        above(evidence.now, 0.7, self._m)
        np.bitwise_and(self._m, evidence.region, out=self._m)
        contrast = cv2.mean(seen.size, self._m)[0]
        if contrast < n.REGION_FRACTION * self.contrast:
            return False
        self.travels |= travels
        self._moved_s = self._seen_s = now_s
        following = min(1.0, elapsed_s / (1.0 if contrast > self.contrast else n.OBJECT_S))
        self.contrast += (contrast - self.contrast) * (following if self.contrast else 1.0)
        self._belongs(seen)
        cv2.dilate(self.region, CROSS, self.region)
        np.bitwise_and(self.region, self._m, out=self.region)
        above(evidence.now, 1, self._k)
        np.bitwise_or(self._m, self._k, out=self._m)
        np.bitwise_and(self._m, evidence.region, out=self._m)
        np.bitwise_or(self.region, self._m, out=self.region)
        self._weigh(seen, elapsed_s)
        self._settle(evidence)
        return True

    def pass_by(self, seen: Background, evidence: Evidence, region: Mask, now_s: float, elapsed_s: float) -> None:
        """Take over the region of something solid that passes and leaves no evidence."""
        np.copyto(self.region, region)
        self.contrast = max(self.contrast, cv2.mean(seen.size, region)[0])
        self.travels = True
        self._moved_s = self._seen_s = now_s
        self._weigh(seen, elapsed_s)
        self._settle(evidence)

    def wait(self, seen: Background, evidence: Evidence, small: Mask, now_s: float, elapsed_s: float) -> Wait:
        """No new evidence: say whether the object still stands there, and end the visit if it has gone."""
        self._belongs(seen)
        np.bitwise_and(self.region, self._m, out=self.region)
        cv2.dilate(self.region, CROSS, self._k)
        np.bitwise_and(self._k, self._m, out=self._k)
        np.bitwise_or(self.region, self._k, out=self.region)
        energy = self._weigh(seen, elapsed_s)
        self._settle(evidence)
        if now_s - self._moved_s < n.LINGER_S:
            return "lingers"
        if not self._stands(seen, evidence, small, energy):
            self.end()
            return "gone"
        cv2.divide(seen.change, self.floor, self._a)
        if cv2.minMaxLoc(self._a, self.region)[1] > 1 and now_s - self._seen_s < n.ALIVE_S:
            self._moved_s = now_s - n.LINGER_S
        if now_s - self._moved_s > n.STAND_S:
            self.end()
            return "gone"
        return "stands"

    def _belongs(self, seen: Background) -> None:
        np.maximum(self.floor, np.float32(n.REGION_FRACTION * self.contrast), out=self._a)
        cv2.compare(seen.size, self._a, cv2.CMP_GT, self._m)

    def _weigh(self, seen: Background, elapsed_s: float) -> float:
        self._mean = cv2.mean(seen.size, self.region)[0]
        energy = self._mean * cv2.countNonZero(self.region)
        self._energy = max(energy, self._energy * math.exp(-elapsed_s / n.OBJECT_S))
        return energy

    def _settle(self, evidence: Evidence) -> None:
        cv2.dilate(self.region, CROSS, self.around)
        cv2.dilate(self.region, WIDE, self.guard)
        size = cv2.countNonZero(self.region)
        if size:
            above(evidence.sides_changed, n.SWAYING_TIMES, self._m)
            np.bitwise_and(self._m, self.region, out=self._m)
            if cv2.countNonZero(self._m) > n.SWAYING_FRACTION * size:
                self.travels = False

    def _stands(self, seen: Background, evidence: Evidence, small: Mask, energy: float) -> bool:
        faint = self._mean < n.STAND_LEVELS
        if not self.travels or faint or energy < n.OBJECT_LEFT_FRACTION * self._energy:
            return False
        above(evidence.sharp, 0, self._m)
        np.bitwise_and(self._m, self.region, out=self._m)
        return cv2.countNonZero(self._m) > 0 and not self._is_ghost(seen, small)

    def _is_ghost(self, seen: Background, small: Mask) -> bool:
        """Whether the outline is in the background and not in the picture: something has left its place.

        Edges of picture and background are weighed by the edges of their difference: those of the change itself.
        """
        cv2.morphologyEx(seen.difference, cv2.MORPH_GRADIENT, CROSS, self._a)
        np.copyto(self._b, small)
        in_picture = self._edges_along(self._b)
        np.add(seen.mean, seen.light.fit, out=self._b)
        return in_picture < n.GHOST_EDGE * self._edges_along(self._b)

    def _edges_along(self, plane: Plane) -> float:
        cv2.morphologyEx(plane, cv2.MORPH_GRADIENT, CROSS, self._c)
        np.multiply(self._c, self._a, out=self._c)
        return cv2.mean(self._c, self.around)[0]

    def blocks(self) -> int:
        """How many blocks the object covers."""
        return cv2.countNonZero(self.region)
