"""What speaks for somebody: change that light, leaves, rain and noise do not explain, gathered over time.

Rules of this room: pure, no allocation after construction. A block's evidence is the least of three views of
it: outside what its neighbours' texture could bring there (sway, shake), sharper than light (a change of smooth
gain is none, unless the texture has gone), and different from the recent past (a parked car is none); all in units
of the block's own threshold. Then it must stand out from the rest of the picture (rain, snow: constant false alarm
rate over sectors), not change sides again and again (leaves), and last, here or next door.
"""

import math

import cv2
import numpy as np

from agent.capture import motion_numbers as n
from agent.capture.motion_background import Background
from agent.capture.motion_planes import CROSS, WIDE, Mask, Plane, above, below

_SECTORS = (3, 4)
_COVERED = 77  # of 255: a sector covered by the object to 30 % says nothing about the rest

_FLOOD = 8 | cv2.FLOODFILL_MASK_ONLY | 255 << 8
_STRIDE = np.ones((11, 11), np.uint8)  # between two thoughts a car goes on by five blocks and its length
_REACH = [np.ones((2 * blocks + 1, 2 * blocks + 1), np.uint8) for blocks in range(1, 4)]


def _reach(elapsed_s: float) -> Mask:
    """The blocks that somebody may have come from in this time."""
    return _REACH[min(len(_REACH) - 1, int(elapsed_s * n.FASTEST_BLOCKS))]


class Evidence:
    """Evidence planes of one camera; `field` is what has been gathered, `now` this frame's evidence.

    `gain` above 1 believes weaker evidence (sensitivity).
    """

    def __init__(self, shape: tuple[int, int], *, gain: float = 1.0) -> None:
        def plane() -> Plane:
            return np.zeros(shape, np.float32)

        def mask() -> Mask:
            return np.zeros(shape, np.uint8)

        self.now, self.field, self.soft, self.sharp = plane(), plane(), plane(), plane()
        self.sides_changed, self._age = plane(), plane()
        self.age_s = 0.0
        self.active, self.region, self.near = mask(), mask(), mask()
        self.clutter, self._wide_clutter = 0.5, 0.0
        self._gain = gain
        self.peak, self.at = 0.0, (0, 0)
        self._a, self._b, self._raw, self._visited, self._visit = plane(), plane(), plane(), plane(), plane()
        self._visit.fill(n.VISITED_S)
        self._one, self._ones = np.ones(shape, np.float32), np.ones(shape, np.uint8)
        self._m, self._k, self._side = mask(), mask(), mask()
        rows, columns = _SECTORS
        self._by_row = np.zeros((rows, shape[1]), np.float32)
        self._by_sector = np.zeros(_SECTORS, np.float32)
        self._row_cuts = np.arange(rows) * shape[0] // rows
        self._column_cuts = np.arange(columns) * shape[1] // columns
        self._cover = np.zeros(_SECTORS, np.uint8)
        self._flood = np.zeros((shape[0] + 2, shape[1] + 2), np.uint8)
        self._flooded = self._flood[1:-1, 1:-1]
        self._nothing = np.zeros(shape, np.float32)
        self._nowhere = np.zeros(shape, np.uint8)

    def forget(self) -> None:
        """Drop what was gathered: the picture has changed as a whole."""
        self.field.fill(0)
        self._age.fill(0)
        self.near.fill(0)
        self.peak = 0.0

    def rest(self, elapsed_s: float) -> None:
        """Nothing exceeds its threshold: let everything fade, cheaply."""
        if self.peak > 0:
            self.forget()
        self.clutter *= math.exp(-elapsed_s / n.CLUTTER_S)

    def gather(self, seen: Background, elapsed_s: float, contrast: float, covered: Mask | None) -> None:
        """Take one frame.

        Args:
            seen: the background and the frame's differences from it.
            elapsed_s: since the last call.
            contrast: that of the object followed now, in levels, 0 when there is none.
            covered: where the background's texture has gone; None when nothing large is there.
        """
        self._views(seen, covered)
        if covered is not None:  # whoever covers so much is not what he must stand out from
            np.bitwise_or(self.near, covered, out=self.near)
        self._stand_out(elapsed_s, seen.light.unrest)
        self._sides(seen, elapsed_s, contrast)
        cv2.threshold(self.now, 1, 0, cv2.THRESH_TOZERO, self._a)
        cv2.threshold(self._a, n.EVIDENCE_TOP, 0, cv2.THRESH_TRUNC, self._a)
        kept = math.exp(-elapsed_s / n.EVIDENCE_S)
        cv2.dilate(self.field, _reach(elapsed_s), self._b)
        cv2.addWeighted(self._b, kept, self._a, 1 - kept, 0, self.field)
        _, self.peak, _, at = cv2.minMaxLoc(self.field)
        self.at = (at[0], at[1])
        if not contrast:
            self._grow_older(elapsed_s)

    def _grow_older(self, elapsed_s: float) -> None:
        """How long each block's evidence has been followed, here or next door: two insects are not one visitor."""
        cv2.dilate(self._age, _STRIDE, self._b)
        np.add(self._b, np.float32(elapsed_s), out=self._age)
        np.subtract(self._b, np.float32(n.LOST_FACTOR * elapsed_s), out=self._b)
        np.maximum(self._b, self._nothing, out=self._b)
        below(self.field, n.EVIDENCE_LOW * n.EVIDENCE_ON, self._m)
        cv2.copyTo(self._b, self._m, self._age)
        self.age_s = self._age.item(self.at[1], self.at[0])

    def _views(self, seen: Background, covered: Mask | None) -> None:
        self._sharpness(seen, seen.difference, self.sharp)
        if seen.light.fitted:  # the fit is of the whole picture: it must not make what was smooth sharp
            np.add(seen.difference, seen.light.fit, out=self._raw)
            self._sharpness(seen, self._raw, self._b)
            np.minimum(self.sharp, self._b, out=self.sharp)
        if covered is not None:
            np.maximum(self.sharp, seen.ratio, out=self._a)
            cv2.copyTo(self._a, covered, self.sharp)
        np.multiply(seen.difference, seen.per_rise, out=self.now)
        np.multiply(seen.difference, seen.per_fall, out=self._a)
        np.maximum(self.now, self._a, out=self.now)
        np.minimum(self.now, self.sharp, out=self.now)
        cv2.scaleAdd(seen.size, -n.RECENT_FRACTION, seen.change, self._a)
        np.multiply(self._a, seen.per_threshold, out=self._a)
        np.minimum(self.now, self._a, out=self.now)

    def _sharpness(self, seen: Background, difference: Plane, out: Plane) -> None:
        """How much sharper a difference is than smooth light, a factor that changes slowly from block to block."""
        # a mirror at the border would bend every slope there
        cv2.blur(difference, (n.WINDOW_BLOCKS, n.WINDOW_BLOCKS), self._a, borderType=cv2.BORDER_REPLICATE)
        if difference is seen.difference:
            np.copyto(self.soft, self._a)
        np.multiply(self._a, seen.smooth_gain, out=self._a)
        cv2.absdiff(difference, self._a, out)
        np.absolute(self._a, out=self._a)
        cv2.scaleAdd(self._a, -n.SOFT_FRACTION, out, out)
        np.multiply(out, seen.per_threshold, out=out)

    def _stand_out(self, elapsed_s: float, unrest: float) -> None:
        """Divide by what the rest of the picture shows, block by block or, where that is better, over 3 by 3.

        Drops and leaves are alike over blocks but average out over nine; someone as large as that does not.
        """
        cv2.resize(self.near, (_SECTORS[1], _SECTORS[0]), self._cover, interpolation=cv2.INTER_AREA)
        kept = math.exp(-elapsed_s / n.CLUTTER_S)
        self.clutter = max(self._rest(self.now), self.clutter * kept)
        self._wide_clutter *= kept
        factor = self._gain / (1 + unrest)
        if n.CLUTTER_FACTOR * self.clutter > 1:
            np.maximum(self.now, self._nothing, out=self._b)
            cv2.blur(self._b, (3, 3), self._b)
            self._wide_clutter = max(self._rest(self._b), self._wide_clutter)
            np.multiply(self._b, np.float32(factor / max(1.0, n.CLUTTER_FACTOR * self._wide_clutter)), out=self._b)
            np.multiply(self.now, np.float32(factor / (n.CLUTTER_FACTOR * self.clutter)), out=self.now)
            np.maximum(self.now, self._b, out=self.now)
        elif factor != 1:
            np.multiply(self.now, np.float32(factor), out=self.now)

    def _rest(self, plane: Plane) -> float:
        """What all but the loudest sectors reach at most, apart from the object."""
        np.copyto(self._a, plane)
        cv2.copyTo(self._nothing, self.near, self._a)
        np.maximum.reduceat(self._a, self._row_cuts, axis=0, out=self._by_row)
        np.maximum.reduceat(self._by_row, self._column_cuts, axis=1, out=self._by_sector)
        free = sorted(
            peak
            for peak, cover in zip(self._by_sector.ravel().tolist(), self._cover.ravel().tolist(), strict=True)
            if cover < _COVERED
        )
        return free[int(len(free) * n.CLUTTER_RANK)] if len(free) > 2 else 0.0  # noqa: PLR2004 - fewer say nothing

    def _sides(self, seen: Background, elapsed_s: float, contrast: float) -> None:
        """Count how often each block has lately changed sides of its background; halve what sways."""
        np.maximum(seen.threshold, np.float32(n.SWAY_FRACTION * contrast), out=self._a)
        cv2.compare(seen.size, self._a, cv2.CMP_GT, self._m)
        np.multiply(self._a, np.float32(0.5), out=self._a)
        cv2.compare(seen.size, self._a, cv2.CMP_LT, self._k)
        cv2.copyTo(self._nowhere, self._k, self._side)
        above(seen.difference, 0, self._k)
        np.bitwise_or(self._k, self._ones, out=self._k)  # 255 stays 255 (above), 0 becomes 1 (below)
        np.multiply(self.sides_changed, np.float32(math.exp(-elapsed_s / n.SWAY_S)), out=self.sides_changed)
        cv2.compare(self._side, self._k, cv2.CMP_NE, self.active)
        np.bitwise_and(self.active, self._m, out=self.active)
        cv2.add(self.sides_changed, self._one, self.sides_changed, self.active)
        cv2.copyTo(self._k, self._m, self._side)
        above(self.sides_changed, n.SWAY_TIMES, self._m)
        np.multiply(self.now, np.float32(0.5), out=self._a)
        cv2.copyTo(self._a, self._m, self.now)

    def travel(self, elapsed_s: float) -> tuple[int, int]:
        """Return how many blocks are active, and how many of them nobody was in lately."""
        above(self.field, n.EVIDENCE_LOW * n.EVIDENCE_ON, self.active)
        above(self.now, 1, self._m)
        np.bitwise_and(self.active, self._m, out=self.active)
        below(self._visited, 0, self._m)
        np.bitwise_and(self.active, self._m, out=self._m)
        np.subtract(self._visited, np.float32(elapsed_s), out=self._visited)
        cv2.copyTo(self._visit, self.active, self._visited)
        return cv2.countNonZero(self.active), cv2.countNonZero(self._m)

    def edges(self) -> Mask:
        """Where something sharp is, generously: light taken over there would swallow a person."""
        above(self.sharp, 1, self._m)
        cv2.dilate(self._m, WIDE, self._k)
        return self._k

    def outline(self, seen: Background) -> int:
        """Set `region` to the object at the peak, `near` to it and its surroundings; return its blocks."""
        if self.peak <= n.EVIDENCE_ON / 2:
            self.near.fill(0)
            self.region.fill(0)
            return 0
        above(self.field, n.EVIDENCE_ON / 2, self.region)
        above(self.now, 0.5, self._m)
        np.bitwise_and(self.region, self._m, out=self.region)
        above(seen.ratio, 1, self._m)
        above(self.sharp, 0, self._k)
        np.bitwise_and(self._m, self._k, out=self._m)
        np.bitwise_or(self.region, self._m, out=self.region)
        self.region[self.at[1], self.at[0]] = 255
        self._flood.fill(0)
        area = cv2.floodFill(self.region, self._flood, self.at, 0, flags=_FLOOD)[0]
        np.copyto(self.region, self._flooded)
        cv2.dilate(self.region, CROSS, self.near)
        return int(area)
