"""Scenes with exact truth, nastier than a front door: who is there, frame by frame, is known because we drew it.

`play(name, seed)` yields frames. Truth is 1 (someone moves in the picture), 0 (nobody) or -1 (open: barely
inside the picture, or parked). Development uses even seeds, the reported figures odd ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tests.capture import scenes_paint as paint
from tests.capture import scenes_weather as weather
from tests.capture.scenes_paint import Actor, Rng, Sensor

Box = tuple[int, int, int, int]


class Shot(NamedTuple):
    """One frame, its time, its truth and the union box of what moves."""

    luma: paint.Frame
    t_ms: float
    truth: int
    box: Box | None


@dataclass
class Scene:
    """A background, layers over it, actors in it, a sensor before it."""

    rng: Rng
    seconds: float = 30.0
    fps: float = 15.0
    shape: tuple[int, int] = (240, 320)
    layers: list[weather.Layer] = field(default_factory=list)
    light: list[weather.Layer] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    sensor: Sensor = field(default_factory=Sensor)
    dark: float = 1.0

    def shots(self) -> Iterator[Shot]:
        base = paint.street(self.rng, *self.shape) * np.float32(self.dark)
        grain = np.random.default_rng(int(self.rng.integers(1 << 30)))
        for n in range(int(self.seconds * self.fps)):
            t = n / self.fps
            image = base.copy()
            for layer in self.layers:
                image = layer.apply(image, t)
            truth, box = self._act(image, t)
            for layer in self.light:
                image = layer.apply(image, t)
            yield Shot(self.sensor.expose(grain, image, t), t * 1000, truth, box)

    def _act(self, image: paint.Image, t: float) -> tuple[int, Box | None]:
        truth, box = 0, None
        for actor in self.actors:
            if not actor.begin_s <= t < actor.end_s:
                continue
            seen = paint.place(image, actor, t)
            if seen is None:
                truth = truth or (-1 if actor.shadow else 0)
                continue
            _, _, scale = actor.path(t)
            full = actor.height_px * scale * (actor.height_px * scale * (0.42 if actor.kind == "person" else 2.4))
            whole = seen[2] * seen[3] > 0.35 * full or seen[2] * seen[3] > 2500
            mine = 1 if whole and t < actor.ignored_after else -1
            truth = 1 if 1 in (truth, mine) else -1
            box = seen if box is None else _union(box, seen)
        return truth, box


def _union(a: Box, b: Box) -> Box:
    x, y = min(a[0], b[0]), min(a[1], b[1])
    return x, y, max(a[0] + a[2], b[0] + b[2]) - x, max(a[1] + a[3], b[1] + b[3]) - y


def cross(
    rng: Rng, begin_s: float, speed: float, *, y: float | None = None, width: int = 320, pad: float = 40
) -> paint.Path:
    """From one side to the other at `speed` px/s, left to right or back."""
    feet = float(rng.uniform(150, 225)) if y is None else y
    right = rng.random() < 0.5
    return lambda t: ((t - begin_s) * speed - pad if right else width + pad - (t - begin_s) * speed, feet, 1.0)


def person(rng: Rng, begin_s: float, *, speed: float = 45.0, height: float = 60.0, **more: float) -> Actor:
    """Someone who walks across."""
    tone = float(rng.choice([rng.uniform(15, 50), rng.uniform(190, 240)]))
    path = cross(rng, begin_s, speed, pad=height * 0.3)
    lasts = (320 + height) / speed
    actor = Actor(
        path, begin_s, begin_s + lasts, height, tone, contrast=more.get("contrast"), shadow=more.get("shadow", 0.0)
    )
    return paint.make_skin(rng, actor)


def car(
    rng: Rng, begin_s: float, *, speed: float = 120.0, height: float = 45.0, tone: float | None = None
) -> Actor:
    shade = float(rng.choice([25, 230])) if tone is None else tone
    pad = height * 1.3
    path = cross(rng, begin_s, speed, pad=pad)
    return paint.make_skin(rng, Actor(path, begin_s, begin_s + (320 + 2 * pad) / speed, height, shade, "car"))


def visitor(rng: Rng, begin_s: float, stands_s: float, *, height: float = 80.0, still: float = 1.0) -> Actor:
    """Walks in, stands `stands_s` with the small movements of the living, walks out the same way."""
    goal, feet = float(rng.uniform(110, 210)), float(rng.uniform(170, 235))
    walk = (goal + height * 0.3) / 45.0

    def path(t: float) -> tuple[float, float, float]:
        u = t - begin_s
        if u < walk:
            return -height * 0.3 + 45 * u, feet, 1.0
        if u < walk + stands_s:
            return goal + still * float(np.sin(u * 1.7) + np.sin(u * 0.9)), feet, 1.0
        return goal - 45 * (u - walk - stands_s), feet, 1.0

    tone = float(rng.choice([30, 215]))
    return paint.make_skin(rng, Actor(path, begin_s, begin_s + 2 * walk + stands_s, height, tone))


Make = Callable[[Rng], Scene]
SCENES: dict[str, Make] = {}


def scene(make: Make) -> Make:
    """Enter a scene into the table under its function's name."""
    SCENES[make.__name__] = make
    return make


def play(name: str, seed: int) -> Iterator[Shot]:
    """Yield the frames of one scene; the same seed gives the same frames."""
    import tests.capture.scenes_list  # noqa: F401, PLC0415 - fills the table, needs this module first

    rng = np.random.default_rng([seed, *name.encode()])
    made = SCENES[name](rng)
    made.fps = float(rng.choice([8, 10, 12.5, 15, 20, 25, 30])) if made.fps == 15.0 else made.fps
    return made.shots()
