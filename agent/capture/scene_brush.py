"""Smooth shapes on a picture of any size, in the coordinates of one that is 1280 wide and 720 high. Pure."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]  # blue, green, red
Place = tuple[float, float]

WIDTH, HEIGHT = 1280, 720
_SHIFT = 4  # sixteenths of a pixel, so that slow things move smoothly


class Brush:
    """Draws on `picture`, uint8[height, width, BGR], in place.

    Args:
        picture: to draw on.
        backdrop: of the same size, what `restore` brings back; `picture` itself where nothing is restored.
    """

    def __init__(self, picture: Picture, backdrop: Picture | None = None) -> None:
        self.picture = picture
        self._backdrop = picture if backdrop is None else backdrop
        height, width = picture.shape[:2]
        self.across, self.down = width / WIDTH, height / HEIGHT

    def polygon(self, places: Sequence[Place], colour: Colour) -> None:
        """Fill a polygon."""
        scale = (self.across * (1 << _SHIFT), self.down * (1 << _SHIFT))
        points = np.rint(np.asarray(places, np.float64) * scale).astype(np.int32)
        cv2.fillPoly(self.picture, [points], colour, cv2.LINE_AA, _SHIFT)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill an upright rectangle."""
        self.polygon(((left, top), (right, top), (right, bottom), (left, bottom)), colour)

    def oval(self, centre: Place, wide: float, high: float, colour: Colour, *, tilt: float = 0) -> None:
        """Fill an ellipse of the half axes `wide` and `high`, turned by `tilt` degrees."""
        unit = 1 << _SHIFT
        at = round(centre[0] * self.across * unit), round(centre[1] * self.down * unit)
        axes = max(round(wide * self.across * unit), 1), max(round(high * self.down * unit), 1)
        cv2.ellipse(self.picture, at, axes, tilt, 0, 360, colour, -1, cv2.LINE_AA, _SHIFT)

    def line(self, places: Sequence[Place], thick: float, colour: Colour) -> None:
        """Draw a line through places, `thick` wide, with round ends."""
        unit = 1 << _SHIFT
        points = np.rint(np.asarray(places, np.float64) * (self.across * unit, self.down * unit)).astype(np.int32)
        width = max(round(thick * self.across), 1)
        cv2.polylines(self.picture, [points], False, colour, width, cv2.LINE_AA, _SHIFT)  # noqa: FBT003 - OpenCV's

    def restore(self, left: float, top: float, right: float, bottom: float) -> None:
        """Put the backdrop's part back over what was drawn there."""
        rows = slice(round(top * self.down), round(bottom * self.down))
        columns = slice(round(left * self.across), round(right * self.across))
        self.picture[rows, columns] = self._backdrop[rows, columns]

    def fade(self, top: float, bottom: float, upper: Colour, lower: Colour, *, left: float = 0) -> None:
        """Fill rows from `top` to `bottom`, right of `left`, with a gradient."""
        first, last = round(top * self.down), round(bottom * self.down)
        steps = np.linspace(0, 1, max(last - first, 1))[:, None]
        rows = np.asarray(upper) * (1 - steps) + np.asarray(lower) * steps
        self.picture[first:last, round(left * self.across) :] = rows[:, None].astype(np.uint8)

    def grain(self, top: float, bottom: float, strength: float, seed: int) -> None:
        """Roughen rows from `top` to `bottom`, as grass and stone are."""
        first, last = round(top * self.down), round(bottom * self.down)
        part = self.picture[first:last].astype(np.float32)
        rough = np.random.default_rng(seed).normal(0, strength, part.shape[:2]).astype(np.float32)
        part += cv2.GaussianBlur(rough, (0, 0), 1.2)[..., None] * 2.0
        self.picture[first:last] = np.clip(part, 0, 255).astype(np.uint8)
