"""Drawn scenes: a doorstep for a machine without a camera. Pure, and the same for the same seed and time.

A scene is a backdrop that is painted once, figures that move over it, weather, and light that changes all of it.
It is a picture to show and to test with, not a measure of the motion detector.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.capture import scene_backdrop, scene_figures
from agent.capture.scene_brush import Brush, Picture

PERIOD_S = 30.0

_Actor = Callable[[Brush, float, "Cast"], None]


@dataclass(frozen=True, slots=True)
class Cast:
    """What figures are told: the scene's seed and the time from one visit to the next."""

    seed: int
    period_s: float


@dataclass(frozen=True, slots=True)
class _Script:
    """What a scene is made of.

    Attributes:
        backdrop: paints what stands still.
        actors: draw what moves, back to front, at a time in seconds.
        light: changes of the whole picture, as a fraction of it.
        noise: the sensor's, in grey levels.
        gain: of the whole picture.
    """

    backdrop: Callable[[Brush, int], None]
    actors: tuple[_Actor, ...] = ()
    light: float = 0.0
    noise: float = 1.5
    gain: float = 1.0


def _visitor(brush: Brush, time_s: float, cast: Cast) -> None:
    scene_figures.visitor(brush, time_s, cast.period_s, cast.seed, umbrella=False)


def _wet_visitor(brush: Brush, time_s: float, cast: Cast) -> None:
    scene_figures.visitor(brush, time_s, cast.period_s, cast.seed, umbrella=True)


def _infrared(brush: Brush, time_s: float, cast: Cast) -> None:
    del time_s, cast
    grey = cv2.cvtColor(brush.picture, cv2.COLOR_BGR2GRAY)
    cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR, dst=brush.picture)


def _tree(brush: Brush, time_s: float, cast: Cast) -> None:
    scene_figures.tree(brush, time_s, cast.seed)


def _rain(brush: Brush, time_s: float, cast: Cast) -> None:
    scene_figures.rain(brush, time_s, cast.seed)


def _traffic(brush: Brush, time_s: float, cast: Cast) -> None:
    scene_figures.traffic(brush, time_s, cast.period_s, cast.seed)


_SCRIPTS: Mapping[str, _Script] = MappingProxyType(
    {
        "porch": _Script(scene_backdrop.porch, (_visitor, _tree), light=0.12),
        "night": _Script(scene_backdrop.porch_at_night, (_visitor, _infrared), light=0.02, noise=5.0, gain=0.85),
        "rain": _Script(scene_backdrop.wet_porch, (_wet_visitor, _tree, _rain), light=0.04, noise=2.5, gain=0.8),
        "still": _Script(scene_backdrop.porch),
        "street": _Script(scene_backdrop.street, (_traffic,), light=0.08),
    }
)
NAMES = tuple(_SCRIPTS)


class Scene:
    """A named scene.

    Args:
        name: one of `NAMES`.
        width, height: pixels, even.
        seed: of everything that is random.
        period_s: from one visit to the next.
    """

    def __init__(self, name: str, width: int, height: int, *, seed: int, period_s: float = PERIOD_S) -> None:
        self.width, self.height = width, height
        self._script, self._cast = _SCRIPTS[name], Cast(seed, period_s)
        self._canvas: Picture = np.zeros((height, width, 3), np.uint8)
        self._backdrop = self._canvas.copy()
        self._script.backdrop(Brush(self._backdrop), seed)
        self._brush = Brush(self._canvas, self._backdrop)
        self._brighter, self._darker = _noise_tiles(width, height, self._script.noise, seed)

    def draw(self, time_s: float) -> Picture:
        """Return the picture at a time, uint8[height, width, BGR]; the same array each time."""
        np.copyto(self._canvas, self._backdrop)
        for actor in self._script.actors:
            actor(self._brush, time_s, self._cast)
        gain = self._script.gain * (1 + self._script.light * _clouds(time_s))
        if gain != 1.0:
            cv2.convertScaleAbs(self._canvas, dst=self._canvas, alpha=gain)
        return self._canvas

    def add_noise(self, luma: NDArray[np.uint8], number: int) -> None:
        """Add the sensor's noise of frame `number` to a luma plane, uint8[height, width], in place."""
        height, width = luma.shape
        row, column = (number * 7919) % (height + 1), (number * 104_729) % (width + 1)
        window = np.s_[row : row + height, column : column + width]
        cv2.add(luma, self._brighter[window], dst=luma)
        cv2.subtract(luma, self._darker[window], dst=luma)


def _clouds(time_s: float) -> float:
    """Return how light it is, between -1 and 1, with two rhythms that don't repeat together."""
    return 0.7 * math.sin(time_s * math.tau / 23) + 0.3 * math.sin(time_s * math.tau / 7.3)


def _noise_tiles(width: int, height: int, sigma: float, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    noise = np.random.default_rng(seed).normal(0, sigma, (2 * height, 2 * width))
    return np.clip(noise, 0, 255).round().astype(np.uint8), np.clip(-noise, 0, 255).round().astype(np.uint8)
