"""Privacy zones: parts of the picture that are black before anything else sees them. Pure.

A zone is a polygon in fractions of the picture. It is drawn once into a mask for each plane size; a pixel that
the polygon's edge only touches belongs to it, and so does every chroma sample that covers such a pixel. Each
frame then costs one masked fill for each zone's bounding rectangle.

A zone that can't be drawn is an error, never a picture without it: `TroubleError` with code "zones".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.capture.source import Polygon
from agent.core.errors import TroubleError

BLACK_LUMA = 16
GREY_CHROMA = 128
_LEAST_CORNERS = 3

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Patch:
    """The rectangle of one zone in one plane, and which of its samples are hidden (bool)."""

    rows: slice
    columns: slice
    hidden: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Mask:
    """All zones for planes of one size.

    Attributes:
        height, width: of the planes that it fits.
    """

    height: int
    width: int
    patches: tuple[_Patch, ...]

    def burn(self, plane: Plane, value: int) -> None:
        """Fill the zones of `plane`, uint8[height, width] or [height, width, channels], with `value`, in place.

        Raises:
            TroubleError: "zones" when the plane is not of this size or can't be written.
        """
        if plane.shape[:2] != (self.height, self.width) or not plane.flags.writeable:
            raise TroubleError("zones", _NOT_DRAWN)
        for patch in self.patches:
            target = plane[patch.rows, patch.columns]
            hidden = patch.hidden if target.ndim == patch.hidden.ndim else patch.hidden[..., None]
            np.copyto(target, value, where=hidden)


_NOT_DRAWN = "a privacy zone could not be drawn, so nothing is recorded; check [camera] privacy_zones and size"


class Zones:
    """The privacy zones of one picture size, ready to burn.

    Args:
        polygons: in fractions, (0, 0) top left and (1, 1) bottom right.
        width, height: of the picture, pixels; even where `burn_yuv420` is used.

    Raises:
        TroubleError: "zones" when a polygon has too few corners, lies outside the picture or hides no pixel.
    """

    def __init__(self, polygons: Sequence[Polygon], width: int, height: int) -> None:
        hidden = [_draw(polygon, width, height) for polygon in polygons]
        self._luma = _mask(hidden, width, height)
        halves = [_halve(one) for one in hidden]
        self._chroma = _mask(halves, (width + 1) // 2, (height + 1) // 2)

    @property
    def count(self) -> int:
        """How many zones every burn fills."""
        return len(self._luma.patches)

    @property
    def luma(self) -> Mask:
        """The mask of a full-size plane."""
        return self._luma

    def burn_yuv420(self, luma: Plane, first: Plane, second: Plane) -> None:
        """Black out the zones in three planes (I420), in place; chroma uint8[(height+1)//2, (width+1)//2].

        Raises:
            TroubleError: "zones" when a plane is not of the size that the zones were drawn for.
        """
        self._luma.burn(luma, BLACK_LUMA)
        self._chroma.burn(first, GREY_CHROMA)
        self._chroma.burn(second, GREY_CHROMA)

    def burn_nv12(self, luma: Plane, chroma: Plane) -> None:
        """Black out the zones in NV12, in place; `chroma` uint8[(height+1)//2, (width+1)//2, 2].

        Raises:
            TroubleError: "zones", as above.
        """
        self._luma.burn(luma, BLACK_LUMA)
        self._chroma.burn(chroma, GREY_CHROMA)


def _draw(polygon: Polygon, width: int, height: int) -> NDArray[np.bool_]:
    corners = np.asarray(polygon, dtype=np.float64)
    if corners.ndim != 2 or corners.shape[0] < _LEAST_CORNERS or corners.shape[1] != 2:  # noqa: PLR2004 - x and y
        raise TroubleError("zones", "a privacy zone needs at least three corners [x, y], so nothing is recorded")
    if not (np.isfinite(corners).all() and corners.min() >= 0 and corners.max() <= 1):
        raise TroubleError("zones", "a privacy zone's corner is not between 0 and 1, so nothing is recorded")
    canvas = np.zeros((height, width), np.uint8)
    # Pixel centres lie at half units; rounding outward by the outline that fillPoly draws as well.
    points = np.rint(corners * (width, height) - 0.5).astype(np.int32)
    cv2.fillPoly(canvas, [points], 1)
    cv2.polylines(canvas, [points], isClosed=True, color=1, thickness=2)
    hidden = canvas.astype(np.bool_)
    if not hidden.any():
        raise TroubleError("zones", _NOT_DRAWN)
    return hidden


def _halve(hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    height, width = hidden.shape
    padded = np.pad(hidden, ((0, height % 2), (0, width % 2)))
    rows = padded[0::2] | padded[1::2]
    halved: NDArray[np.bool_] = rows[:, 0::2] | rows[:, 1::2]
    return halved


def _mask(zones: Sequence[NDArray[np.bool_]], width: int, height: int) -> Mask:
    return Mask(height, width, tuple(_patch(zone) for zone in zones))


def _patch(hidden: NDArray[np.bool_]) -> _Patch:
    rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return _Patch(*box, np.ascontiguousarray(hidden[box]))
