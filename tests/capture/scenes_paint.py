"""Paint for made-up scenes: backgrounds, actors, weather, light and a sensor, all from one seeded generator.

Rules of this room: everything is float32 in display units 0..255 until `Sensor.expose` makes it uint8. Each
layer is a function of time, so that the same scene can be sampled at any frame rate. Truth comes from geometry,
never from pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]
Rng = np.random.Generator
Path = Callable[[float], tuple[float, float, float]]
"""Time in seconds to (x of the centre, y of the feet, scale); in px of the scene."""


def fractal(rng: Rng, height: int, width: int, *, finest: int = 2, coarsest: int = 64) -> Image:
    """Noise with energy at every scale between the two, about unit variance."""
    total = np.zeros((height, width), np.float32)
    step = finest
    while step <= coarsest:
        grain = rng.standard_normal((height // step + 2, width // step + 2)).astype(np.float32)
        total += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC) * (step / coarsest) ** 0.4
        step *= 2
    return np.asarray(total / total.std(), np.float32)


def street(rng: Rng, height: int, width: int) -> Image:
    """A front yard: sky, facades with windows and bricks, hedge, road with markings."""
    horizon = int(height * rng.uniform(0.2, 0.4))
    road = int(height * rng.uniform(0.65, 0.85))
    scene = np.empty((height, width), np.float32)
    scene[:horizon] = rng.uniform(150, 230)
    scene[horizon:road] = rng.uniform(70, 150)
    scene[road:] = rng.uniform(60, 130)
    for _ in range(int(rng.integers(5, 12))):
        x, y = int(rng.integers(0, width)), int(rng.integers(horizon // 2, road))
        w, h = int(rng.integers(width // 20, width // 4)), int(rng.integers(height // 16, height // 3))
        cv2.rectangle(scene, (x, y), (x + w, min(y + h, road)), float(rng.uniform(30, 220)), -1)
        if rng.random() < 0.5:
            for row in range(y, min(y + h, road), int(rng.integers(4, 9))):
                cv2.line(scene, (x, row), (x + w, row), float(rng.uniform(40, 200)), 1)
    for x in range(0, width, int(rng.integers(30, 60))):
        cv2.line(scene, (x, height - 1), (x + 20, road), float(rng.uniform(120, 220)), 2)
    scene[:] = cv2.GaussianBlur(scene, (0, 0), float(rng.uniform(0.6, 1.2)))
    scene += fractal(rng, height, width) * float(rng.uniform(3, 10))
    return np.clip(scene, 12, 243)


@dataclass
class Actor:
    """Someone or something that counts: a sprite on a path between two times.

    `ignored_after` : from this time on the truth is open (a car that has parked), in seconds.
    """

    path: Path
    begin_s: float
    end_s: float
    height_px: float
    tone: float
    kind: str = "person"
    contrast: float | None = None
    shadow: float = 0.0
    ignored_after: float = 1e9
    skin: Image = field(default_factory=lambda: np.zeros((1, 1), np.float32))

    def shape(self, t: float, scale: float) -> tuple[Image, Image]:
        """Return (coverage 0..1, texture) at this time's scale."""
        h = max(4, round(self.height_px * scale))
        w = max(3, round(h * (0.42 if self.kind == "person" else 2.4)))
        size = 4
        mask = np.zeros((h * size, w * size), np.uint8)
        if self.kind == "person":
            pace = min(1.0, abs(self.path(t + 0.1)[0] - self.path(t)[0]) / 2.0)
            self._person(mask, t, max(0.05, pace))
        else:
            self._car(mask)
        cover = np.asarray(cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
        return cover, np.asarray(cv2.resize(self.skin, (w, h), interpolation=cv2.INTER_AREA), np.float32)

    @staticmethod
    def _person(mask: Frame, t: float, pace: float) -> None:
        h, w = mask.shape
        cv2.circle(mask, (w // 2, int(h * 0.09)), int(h * 0.08), 255, -1)
        cv2.ellipse(mask, (w // 2, int(h * 0.36)), (int(w * 0.30), int(h * 0.22)), 0, 0, 360, 255, -1)
        swing = np.sin(t * 7.0) * w * 0.22 * pace
        for side in (-1, 1):
            foot = (int(w / 2 + side * swing), h - 1)
            cv2.line(mask, (int(w / 2 + side * w * 0.08), int(h * 0.5)), foot, 255, max(1, int(w * 0.18)))
            hand = (int(w / 2 - side * swing * 1.2 + side * w * 0.2), int(h * 0.55))
            cv2.line(mask, (int(w / 2 + side * w * 0.24), int(h * 0.22)), hand, 255, max(1, int(w * 0.1)))

    @staticmethod
    def _car(mask: Frame) -> None:
        h, w = mask.shape
        cv2.rectangle(mask, (0, int(h * 0.42)), (w - 1, int(h * 0.85)), 255, -1)
        roof = [[w * 0.2, h * 0.42], [w * 0.32, 1], [w * 0.68, 1], [w * 0.85, h * 0.42]]
        cv2.fillPoly(mask, [np.array(roof, np.int32)], 255)
        for x in (0.2, 0.8):
            cv2.circle(mask, (int(w * x), int(h * 0.84)), int(h * 0.15), 255, -1)


def make_skin(rng: Rng, actor: Actor) -> Actor:
    """Give the actor clothes: bands of tone and texture, or nearly the background's when faint."""
    h, w = 96, 64
    skin = np.full((h, w), actor.tone, np.float32)
    if actor.contrast is None:
        skin[: h // 6] = rng.uniform(90, 200)
        skin[h // 2 :] = np.clip(actor.tone + rng.uniform(-60, 60), 10, 245)
        skin += fractal(rng, h, w, finest=4, coarsest=32) * 9
    if actor.kind == "car":
        skin[: int(h * 0.4), 18:46] = rng.uniform(20, 60)
    actor.skin = skin
    return actor


def place(scene: Image, actor: Actor, t: float) -> tuple[int, int, int, int] | None:
    """Draw the actor into the scene; return its visible box, None when outside."""
    x, y, scale = actor.path(t)
    cover, skin = actor.shape(t, scale)
    h, w = cover.shape
    height, width = scene.shape
    move = np.array([[1, 0, x - w / 2], [0, 1, y - h]], np.float32)
    left, top = max(0, int(x - w / 2) - 1), max(0, int(y - h) - 1)
    right, low = min(width, int(x + w / 2) + 2), min(height, int(y) + 2)
    if actor.shadow:
        _cast(scene, actor, x, y, h)
    if right - left < 2 or low - top < 2:
        return None
    move[:, 2] -= (left, top)
    alpha = cv2.warpAffine(cover, move, (right - left, low - top))
    paint = cv2.warpAffine(skin, move, (right - left, low - top), borderMode=cv2.BORDER_REPLICATE)
    under = scene[top:low, left:right]
    if actor.contrast is not None:
        paint = cv2.GaussianBlur(under, (0, 0), 6) + np.float32(actor.contrast)  # hides what is behind it
    under += alpha * (paint - under)
    solid = alpha > 0.5
    if not solid.any():
        return None
    ys, xs = np.nonzero(solid)
    return left + int(xs.min()), top + int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1


def _cast(scene: Image, actor: Actor, x: float, y: float, h: float) -> None:
    shade = np.zeros(scene.shape, np.float32)
    middle = (int(x + h * 0.5), int(y - 1))
    cv2.ellipse(shade, middle, (max(2, int(h * 0.5)), max(1, int(h * 0.09))), 8, 0, 360, 1.0, -1, cv2.LINE_AA)
    scene *= 1 - actor.shadow * shade


@dataclass
class Sensor:
    """Exposure, shot and read noise, quantisation. `gain(t)` multiplies, `noise(t)` is sigma at mid grey."""

    noise: Callable[[float], float] = lambda _t: 1.5
    gain: Callable[[float], float] = lambda _t: 1.0

    def expose(self, rng: Rng, scene: Image, t: float) -> Frame:
        lit = scene * np.float32(self.gain(t))
        sigma = self.noise(t)
        grain = rng.standard_normal(scene.shape, np.float32)
        grain *= np.float32(sigma) * np.sqrt(np.clip(lit, 0, 255) / 128 + 0.25)
        return np.asarray(np.clip(np.rint(lit + grain), 0, 255), np.uint8)
