"""What light and shake do to the whole picture, taken out before anything is called motion.

Rules of this room: pure, no allocation after construction. The difference between picture and background is
fitted, by robust least squares with a prior, with what physics allows: gain and contrast (exposure), gains and
offsets that slope over the picture (clouds, dusk), and a shift of the whole picture (a camera in the wind:
optical flow, Lucas-Kanade 1981). What is left is what did not happen to the whole picture.
"""

import math

import cv2
import numpy as np

from agent.capture import motion_numbers as n
from agent.capture.motion_planes import Mask, Plane

_TERMS = 8
_SHIFT = 6
_ROUNDS = 6
_MOST_PRODUCTS = 9000  # OpenBLAS starts threads for a larger matrix times vector: dearer here than the product


class LightFit:
    """Fits and removes global light and shake; all planes are float32 (rows, columns)."""

    def __init__(self, shape: tuple[int, int]) -> None:
        rows, columns = shape
        blocks = rows * columns
        self.fit = np.zeros(shape, np.float32)
        self._basis = np.zeros((_TERMS, blocks), np.float32)
        self._planes = self._basis.reshape(_TERMS, rows, columns)
        self._normal = np.zeros((_TERMS, _TERMS), np.float32)
        self._inverse = np.zeros((_TERMS, _TERMS), np.float32)
        self._diagonal = self._normal.reshape(-1)[:: _TERMS + 1]
        widths = np.array(n.PRIOR, np.float32)
        self._ridge = (n.PRIOR_NOISE / widths) ** 2 * np.float32(blocks / n.INDEPENDENT_BLOCKS)
        self._theta, self._before, self._step, self._pull = (np.zeros(_TERMS, np.float32) for _ in range(4))
        self._gradient = np.zeros(_TERMS, np.float32)
        self._rest = np.zeros(shape, np.float32)
        self._clipped = np.zeros(shape, np.float32)
        self._zero = np.zeros(shape, np.float32)
        self._background = np.zeros(shape, np.float32)
        self._stale = True  # the basis is of another background
        cuts = range(0, blocks, _MOST_PRODUCTS // _TERMS)
        self._parts = [slice(cut, min(blocks, cut + _MOST_PRODUCTS // _TERMS)) for cut in cuts]
        bases = [self._basis[:, part].copy() for part in self._parts]  # numpy would copy a view on each product
        self._bases = bases
        self._to_fit, self._from_rest, self._from_clipped = (
            [(basis, plane.reshape(-1)[part]) for basis, part in zip(bases, self._parts, strict=True)]
            for plane in (self.fit, self._rest, self._clipped)
        )
        self._sum = np.zeros(_TERMS, np.float32)
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        self._x, self._y = (x / columns - 0.5) * 2, (y / rows - 0.5) * 2
        self._planes[4], self._planes[5] = self._x, self._y
        self.unrest = 0.0
        self.fitted = False
        self._quiet = n.QUIET_LEVELS * blocks
        self._enough = n.SATURATED_FRACTION * n.CLIP * blocks

    def forget(self) -> None:
        """Start anew: the background has just been replaced."""
        self._theta.fill(0)
        self.fit.fill(0)
        self.fitted = False

    def fade(self, fraction: float) -> None:
        """The background has taken over this fraction of the fitted light."""
        self._theta *= np.float32(1 - fraction)
        if self.fitted and cv2.norm(self.fit, cv2.NORM_INF) < n.QUIET_LEVELS:
            self.forget()

    def shift_blocks(self) -> float:
        """How far the picture is shifted now, in blocks (city-block distance)."""
        return abs(float(self._theta[_SHIFT])) + abs(float(self._theta[_SHIFT + 1]))

    def rebase(self, background: Plane) -> None:
        """Fit to this background from now on."""
        np.copyto(self._background, background)
        self._stale = True

    def _set_basis(self) -> None:
        """Build the basis from the background: only when there is something to fit, which is seldom."""
        self._stale = False
        planes, background = self._planes, self._background
        np.multiply(background, np.float32(1 / (cv2.mean(background)[0] + 1)), out=planes[0])
        np.subtract(planes[0], np.float32(1), out=planes[1])
        np.multiply(planes[0], self._x, out=planes[2])
        np.multiply(planes[0], self._y, out=planes[3])
        cv2.subtract(background[:, 2:], background[:, :-2], planes[6, :, 1:-1])
        np.subtract(background[2:], background[:-2], out=planes[7, 1:-1])
        np.multiply(planes[6], np.float32(0.5), out=planes[6])
        np.multiply(planes[7], np.float32(0.5), out=planes[7])
        for basis, part in zip(self._bases, self._parts, strict=True):
            np.copyto(basis, self._basis[:, part])
        np.dot(self._basis, self._basis.T, out=self._normal)
        np.add(self._diagonal, self._ridge, out=self._diagonal)
        cv2.invert(self._normal, self._inverse, cv2.DECOMP_CHOLESKY)

    def remove(self, difference: Plane, but: Mask | None, elapsed_s: float) -> None:
        """Fit `difference` outside the mask `but` and subtract the fit from it, in place; `fit` keeps it.

        `unrest` tells how much the light has jumped lately: no fit is perfect, and its errors go with the jump.
        """
        level = self._theta.item(0)
        self._fit(difference, but)
        jump = abs(self._theta.item(0) - level) / n.JUMP_LEVELS
        self.unrest = max(jump, self.unrest * math.exp(-elapsed_s / n.JUMP_S))

    def _fit(self, difference: Plane, but: Mask | None) -> None:
        if not self.fitted:
            levels = cv2.norm(difference, cv2.NORM_L1)
            if but is not None and levels >= self._quiet:
                levels -= cv2.norm(difference, cv2.NORM_L1, but)
            if levels < self._quiet:
                return
        self.fitted = True
        if self._stale:
            self._set_basis()
        self._theta[_SHIFT:] = 0
        wrong = self._wrong(difference, but)
        if wrong >= self._enough:
            self._jump(difference, but, wrong)
        self._let_go(but)
        self._improve(self._from_clipped)
        self._render()
        cv2.subtract(difference, self.fit, difference)

    def _jump(self, difference: Plane, but: Mask | None, wrong: float) -> None:
        """Either the light has jumped, or something large came in: take the one that leaves less unexplained."""
        np.copyto(self._before, self._theta)
        if but is not None:
            cv2.copyTo(self._zero, but, self._rest)
        self._improve(self._from_rest)
        explained = self._wrong(difference, but)
        if explained > n.JUMP_EXPLAINS * wrong:
            np.copyto(self._theta, self._before)
            self._wrong(difference, but)
            return
        for _ in range(_ROUNDS):
            if explained < self._enough / 2:
                return
            self._improve(self._from_clipped)
            explained = self._wrong(difference, but)

    def _let_go(self, but: Mask | None) -> None:
        """What differs far more than followed light ever does pulls no more at all (Hampel 1974)."""
        if cv2.norm(self._rest, cv2.NORM_INF) <= n.LET_GO:
            return
        cv2.threshold(self._rest, n.LET_GO, 0, cv2.THRESH_TOZERO_INV, self._rest)
        cv2.threshold(self._rest, -n.LET_GO, 0, cv2.THRESH_TOZERO, self._rest)
        np.clip(self._rest, -n.CLIP, n.CLIP, out=self._clipped)
        if but is not None:
            cv2.copyTo(self._zero, but, self._clipped)

    def _wrong(self, difference: Plane, but: Mask | None) -> float:
        """Set what is left under the present fit, clipped; return its sum."""
        self._render()
        cv2.subtract(difference, self.fit, self._rest)
        np.clip(self._rest, -n.CLIP, n.CLIP, out=self._clipped)
        if but is not None:
            cv2.copyTo(self._zero, but, self._clipped)
        return cv2.norm(self._clipped, cv2.NORM_L1)

    def _render(self) -> None:
        for basis, fit in self._to_fit:
            np.dot(self._theta, basis, out=fit)

    def _improve(self, parts: list[tuple[Plane, Plane]]) -> None:
        np.multiply(self._ridge, self._theta, out=self._pull)
        np.negative(self._pull, out=self._gradient)
        for basis, rest in parts:
            np.dot(basis, rest, out=self._sum)
            np.add(self._gradient, self._sum, out=self._gradient)
        np.dot(self._inverse, self._gradient, out=self._step)
        np.add(self._theta, self._step, out=self._theta)
