"""What moves, falls and shines without being anyone: layers over a scene, each a class with `apply(scene, t)`.

Each layer has its own generator, so a scene looks the same whatever else is in it.
"""

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from tests.capture.scenes_paint import Image, Rng, fractal

Level = Callable[[float], float]


class Layer(Protocol):
    """Changes a scene in place, or returns another of the same shape."""

    def apply(self, scene: Image, t: float) -> Image: ...


def always(value: float) -> Level:
    return lambda _t: value


def after(when_s: float, value: float, *, until_s: float = 1e9, before: float = 0.0) -> Level:
    return lambda t: value if when_s <= t < until_s else before


def gusts(rng: Rng, strength: float) -> Level:
    """Wind: a slow swell with gaps in which nothing moves."""
    phase, period = rng.uniform(0, 6), rng.uniform(5, 9)
    return lambda t: strength * max(0.0, float(np.sin(2 * np.pi * t / period + phase)) + 0.3)


class Tree:
    """Leaves that sway by `wind(t)` px around where they are, in an ellipse of the scene."""

    def __init__(self, rng: Rng, shape: tuple[int, int], wind: Level, *, size: float = 0.3) -> None:
        h, w = shape
        self.wind = wind
        cx, cy = rng.uniform(0.15, 0.85) * w, rng.uniform(0.2, 0.6) * h
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        r = ((x - cx) / (size * w * 0.5)) ** 2 + ((y - cy) / (size * h * 0.7)) ** 2
        self.mask = np.asarray(np.clip(1.5 * (1 - r), 0, 1), np.float32)
        self.leaves = 90 + fractal(rng, h, w, finest=2, coarsest=16) * 38
        self.mask *= (fractal(rng, h, w, finest=2, coarsest=8) > -0.7).astype(np.float32)
        self.phase = fractal(rng, h, w, finest=16, coarsest=64) * 1.5
        self.x, self.y = x, y
        self.rate = rng.uniform(0.6, 1.6)

    def apply(self, scene: Image, t: float) -> Image:
        a = self.wind(t)
        wave = a * np.sin(2 * np.pi * self.rate * t + self.phase)
        jig = a * 0.3 * np.sin(2 * np.pi * self.rate * 2.7 * t + 3 * self.phase)
        mx = np.asarray(self.x + wave + jig, np.float32)
        my = np.asarray(self.y + 0.4 * wave, np.float32)
        leaves = cv2.remap(self.leaves, mx, my, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        mask = cv2.remap(self.mask, mx, my, cv2.INTER_LINEAR)
        return np.asarray(scene + mask * (leaves - scene), np.float32)


class Flag:
    """A cloth on a pole: stretched by the wind it flaps, without wind it hangs down."""

    def __init__(self, rng: Rng, shape: tuple[int, int], wind: Level) -> None:
        h, w = shape
        self.wind = wind
        self.long, self.high = rng.uniform(0.1, 0.3) * w, rng.uniform(0.08, 0.2) * h
        self.pole, self.top = rng.uniform(0.1, 0.5) * w, rng.uniform(0.1, 0.4) * h
        self.tone, self.rate = float(rng.choice([25, 230])), rng.uniform(0.8, 1.6)

    def apply(self, scene: Image, t: float) -> Image:
        pull = float(np.clip(self.wind(t), 0, 1))
        along = np.linspace(0, 1, 16)
        wave = 0.25 * pull * along * np.sin(2 * np.pi * (self.rate * t - 1.2 * along))
        reach = self.long * along * (0.15 + 0.85 * pull) * (1 + 0.12 * np.sin(2 * np.pi * self.rate * 1.7 * t))
        upper = self.top + self.high * (wave + 0.9 * (1 - pull) * along)
        x = self.pole + reach
        edge = [*zip(x, upper, strict=True), *reversed([*zip(x, upper + self.high, strict=True)])]
        cloth = np.zeros(scene.shape, np.uint8)
        cv2.fillPoly(cloth, [np.rint(np.array(edge) * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
        cover = cloth.astype(np.float32) / np.float32(255)
        return np.asarray(scene + cover * (np.float32(self.tone) - scene), np.float32)


class Water:
    """A rippling, glittering band of the scene."""

    def __init__(self, rng: Rng, shape: tuple[int, int], strength: float) -> None:
        h, w = shape
        self.top = int(h * rng.uniform(0.5, 0.7))
        self.a, self.b = (fractal(rng, h, w, finest=2, coarsest=16) for _ in range(2))
        self.strength = strength

    def apply(self, scene: Image, t: float) -> Image:
        roll = int(t * 9)
        ripple = np.roll(self.a, roll, axis=1) * np.sin(t * 3.1) + np.roll(self.b, -roll, axis=1) * np.cos(t * 2.3)
        scene[self.top :] += self.strength * ripple[self.top :]
        return scene


class Falling:
    """Rain (long, fast, thin) or snow (round, slow, drifting); `rate(t)` drops in the picture."""

    def __init__(self, rng: Rng, shape: tuple[int, int], rate: Level, *, snow: bool) -> None:
        self.rng, self.shape, self.rate, self.snow = rng, shape, rate, snow
        n = 900
        self.at = rng.uniform(0, 1, (n, 2))
        self.depth = rng.uniform(0.25, 1.0, n) ** 2

    def apply(self, scene: Image, t: float) -> Image:
        h, w = self.shape
        fall = (0.35 if self.snow else 4.0) * (0.3 + self.depth)
        layer = np.zeros(self.shape, np.float32)
        count = int(self.rate(t))
        for k in range(count):
            x = (self.at[k, 0] + (0.05 * np.sin(t * 1.3 + k) if self.snow else 0.08 * t)) % 1 * w
            y = (self.at[k, 1] + fall[k] * t + (0 if self.snow else 0.37 * k * t)) % 1 * h
            if self.snow:
                cv2.circle(
                    layer, (int(x * 8), int(y * 8)), int(8 * (0.5 + 2.2 * self.depth[k])), 70.0, -1, cv2.LINE_AA, 3
                )
            else:
                long = 6 + 26 * self.depth[k]
                cv2.line(
                    layer,
                    (int(x), int(y)),
                    (int(x - 2), int(y - long)),
                    18 + 40 * float(self.depth[k]),
                    1,
                    cv2.LINE_AA,
                )
        scene += layer * (1 - scene / 300)
        return scene


class Insects:
    """Blurred bright blobs that dash past the lens, a few frames each."""

    def __init__(self, rng: Rng, shape: tuple[int, int], seconds: float, *, every_s: float = 1.5) -> None:
        self.shape = shape
        self.flights = []
        t = 2.0
        while t < seconds:
            start, stop = rng.uniform(-0.1, 1.1, 2), rng.uniform(-0.1, 1.1, 2)
            self.flights.append((t, rng.uniform(0.12, 0.45), start, stop, rng.uniform(3, 14), rng.uniform(20, 90)))
            t += rng.exponential(every_s)

    def apply(self, scene: Image, t: float) -> Image:
        h, w = self.shape
        for begin, lasts, start, stop, radius, light in self.flights:
            if begin <= t < begin + lasts:
                x, y = start + (stop - start) * (t - begin) / lasts
                blob = np.zeros(self.shape, np.float32)
                cv2.circle(blob, (int(x * w), int(y * h)), int(radius), float(light), -1)
                scene += cv2.GaussianBlur(blob, (0, 0), radius / 2)
        return scene


class Light:
    """Multiplies the scene by a smooth field that `move(t)` shifts (px) and `level(t)` scales."""

    def __init__(self, field: Image, level: Level, move: Level | None = None) -> None:
        self.field, self.level, self.move = field, level, move or always(0.0)

    def apply(self, scene: Image, t: float) -> Image:
        drift = np.array([[1, 0, self.move(t)], [0, 1, 0]], np.float32)
        h, w = self.field.shape
        lit = cv2.warpAffine(self.field, drift, (w, h), borderMode=cv2.BORDER_REPLICATE)
        scene *= 1 + self.level(t) * lit
        return scene


def spot(shape: tuple[int, int], x: float, y: float, radius: float) -> Image:
    """A soft round light, 1 in its middle; all in fractions of the picture."""
    h, w = shape
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    return np.asarray(np.exp(-(((xx / w - x) / radius) ** 2) - ((yy / h - y) / radius) ** 2), np.float32)


class Shake:
    """Moves the whole picture by `amount(t)` px: pole in the wind, footsteps on the porch."""

    def __init__(self, rng: Rng, amount: Level) -> None:
        self.rng, self.amount = rng, amount
        self.f = rng.uniform(1.5, 6, 4)
        self.p = rng.uniform(0, 6, 4)

    def apply(self, scene: Image, t: float) -> Image:
        a = self.amount(t)
        wave = np.sin(2 * np.pi * self.f * t + self.p)
        dx, dy = a * float(wave[0] + wave[1]) / 2, a * float(wave[2] + wave[3]) / 2
        h, w = scene.shape
        move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        return np.asarray(cv2.warpAffine(scene, move, (w, h), borderMode=cv2.BORDER_REFLECT), np.float32)


class TreeShadow:
    """The shadow of leaves that sway on sunlit ground: hard, multiplicative, always there."""

    def __init__(self, rng: Rng, shape: tuple[int, int], wind: Level, depth: float) -> None:
        h, w = shape
        self.pattern = cv2.GaussianBlur(
            (fractal(rng, h, w, finest=8, coarsest=32) > 0.2).astype(np.float32), (0, 0), 1.5
        )
        self.pattern[: int(h * 0.55)] = 0
        self.wind, self.depth, self.rate = wind, depth, rng.uniform(0.4, 1.0)

    def apply(self, scene: Image, t: float) -> Image:
        h, w = scene.shape
        move = np.array([[1, 0, self.wind(t) * np.sin(2 * np.pi * self.rate * t)], [0, 1, 0]], np.float32)
        scene *= 1 - self.depth * cv2.warpAffine(self.pattern, move, (w, h))
        return scene
