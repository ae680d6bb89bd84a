"""The scenes themselves: first those with somebody in them, then those with nobody."""

import numpy as np

from tests.capture import scenes_paint as paint
from tests.capture import scenes_weather as weather
from tests.capture.scenes import Scene, car, person, scene, visitor
from tests.capture.scenes_paint import Actor, Rng, Sensor
from tests.capture.scenes_weather import after, always, gusts

SHAPE = (240, 320)


@scene
def walker(rng: Rng) -> Scene:
    return Scene(rng, actors=[person(rng, 8), person(rng, 20, speed=70)])


@scene
def faint(rng: Rng) -> Scene:
    return Scene(
        rng,
        actors=[person(rng, 8, contrast=9 * rng.choice([-1, 1]), height=70)],
        sensor=Sensor(noise=lambda _t: 2.0),
    )


@scene
def slow(rng: Rng) -> Scene:
    return Scene(rng, seconds=40, actors=[person(rng, 6, speed=13, height=50)])


@scene
def far(rng: Rng) -> Scene:
    return Scene(rng, actors=[person(rng, 8, speed=18, height=16)])


@scene
def runner(rng: Rng) -> Scene:
    return Scene(rng, actors=[person(rng, 8, speed=190, height=75), car(rng, 18, speed=380)])


@scene
def approach(rng: Rng) -> Scene:
    x0, x1 = rng.uniform(60, 260, 2)

    def path(t: float) -> tuple[float, float, float]:
        u = min(1.0, (t - 8) / 10)
        return float(x0 + (x1 - x0) * u), 120 + 150 * u**2, 0.25 + 3.0 * u**2

    return Scene(rng, actors=[paint.make_skin(rng, Actor(path, 8, 19, 60, 40))])


@scene
def stands(rng: Rng) -> Scene:
    return Scene(rng, seconds=42, actors=[visitor(rng, 8, 14)])


@scene
def night(rng: Rng) -> Scene:
    sensor = Sensor(noise=lambda _t: 7.0)
    return Scene(rng, dark=0.3, actors=[person(rng, 8), car(rng, 22)], sensor=sensor)


@scene
def walker_in_rain(rng: Rng) -> Scene:
    rain = weather.Falling(rng, SHAPE, always(250), snow=False)
    return Scene(rng, actors=[person(rng, 12)], light=[rain])


@scene
def walker_in_snow(rng: Rng) -> Scene:
    snow = weather.Falling(rng, SHAPE, always(150), snow=True)
    return Scene(rng, seconds=40, actors=[person(rng, 18, height=70)], light=[snow])


@scene
def walker_by_trees(rng: Rng) -> Scene:
    trees: list[weather.Layer] = [weather.Tree(rng, SHAPE, gusts(rng, 3)) for _ in range(2)]
    return Scene(rng, seconds=40, layers=trees, actors=[person(rng, 22, height=70)])


@scene
def close_by_trees(rng: Rng) -> Scene:
    """Someone so near that a third of the picture is theirs, before a tree that fills it."""
    tree = weather.Tree(rng, SHAPE, gusts(rng, 3), size=1.1)
    return Scene(rng, seconds=40, layers=[tree], actors=[person(rng, 22, speed=60, height=230)])


@scene
def walker_and_shake(rng: Rng) -> Scene:
    return Scene(rng, actors=[person(rng, 12)], light=[weather.Shake(rng, gusts(rng, 3))])


@scene
def walker_under_clouds(rng: Rng) -> Scene:
    sky = weather.Light(_clouds(rng, 128), always(0.4), lambda t: 8 * t)
    return Scene(rng, actors=[person(rng, 8, shadow=0.35), person(rng, 20, shadow=0.35)], light=[sky])


@scene
def car_parks(rng: Rng) -> Scene:
    stop = rng.uniform(110, 210)

    def path(t: float) -> tuple[float, float, float]:
        return float(min(stop, -60 + 80 * (t - 6))), 200, 1.0

    parked = 6 + (stop + 60) / 80
    actor = paint.make_skin(rng, Actor(path, 6, 200, 50, 230, "car", ignored_after=parked + 0.5))
    return Scene(rng, seconds=60, actors=[actor, person(rng, 48)])


@scene
def car_leaves(rng: Rng) -> Scene:
    def path(t: float) -> tuple[float, float, float]:
        return 150 + max(0.0, 50 * (t - 10)), 200, 1.0

    actor = paint.make_skin(rng, Actor(path, 0, 16, 50, float(rng.choice([25, 230])), "car"))
    made = Scene(rng, seconds=40, actors=[actor, person(rng, 30)])
    actor.path = path
    made.actors[0].ignored_after = 1e9
    return _open_before(made, 10)


def _open_before(made: Scene, until_s: float) -> Scene:
    parked = made.actors[0]
    still = Actor(
        parked.path, 0, until_s, parked.height_px, parked.tone, parked.kind, ignored_after=-1, skin=parked.skin
    )
    parked.begin_s = until_s
    made.actors.insert(0, still)
    return made


@scene
def traffic(rng: Rng) -> Scene:
    """Cars so close that each is gone within a second, from the start on, before a camera in the wind."""
    actors, begin_s = [], 0.3
    while begin_s < 38:
        actors.append(car(rng, begin_s, speed=float(rng.uniform(350, 600)), height=float(rng.uniform(65, 100))))
        if begin_s < 3:
            actors[-1].ignored_after = 0  # a kernel that has just started knows no empty road yet
        begin_s += float(rng.uniform(1.3, 3.5))
    return Scene(rng, seconds=40, actors=actors, light=[weather.Shake(rng, gusts(rng, 2))])


@scene
def exposure_car(rng: Rng) -> Scene:
    truck = car(rng, 10, speed=90, height=80, tone=245)

    def gain(t: float) -> float:
        return 1.0 - 0.3 * float(np.clip((t - 11) / 0.6, 0, 1)) + 0.3 * float(np.clip((t - 15.5) / 1.0, 0, 1))

    return Scene(rng, actors=[truck], sensor=Sensor(gain=gain))


@scene
def two_visitors(rng: Rng) -> Scene:
    return Scene(rng, seconds=36, actors=[person(rng, 6), person(rng, 6 + 380 / 45 + 5)])


@scene
def lit_by_headlights(rng: Rng) -> Scene:
    made = Scene(rng, dark=0.25, actors=[car(rng, 10, speed=90)], sensor=Sensor(noise=lambda _t: 5.0))
    path = made.actors[0].path
    beam = weather.spot(SHAPE, 0.5, 0.75, 0.2)
    made.light.append(
        weather.Light(beam, lambda t: 2.5 if 10 <= t < made.actors[0].end_s else 0.0, lambda t: path(t)[0] - 160)
    )
    return made


@scene
def quiet(rng: Rng) -> Scene:
    return Scene(rng)


@scene
def rain(rng: Rng) -> Scene:
    return Scene(rng, light=[weather.Falling(rng, SHAPE, after(6, 400), snow=False)])


@scene
def downpour(rng: Rng) -> Scene:
    return Scene(
        rng, light=[weather.Falling(rng, SHAPE, lambda t: max(0.0, min(850.0, (t - 4) * 120)), snow=False)]
    )


@scene
def snow(rng: Rng) -> Scene:
    return Scene(rng, light=[weather.Falling(rng, SHAPE, after(5, 260), snow=True)])


@scene
def trees(rng: Rng) -> Scene:
    layers: list[weather.Layer] = [weather.Tree(rng, SHAPE, gusts(rng, 4)) for _ in range(3)]
    return Scene(rng, seconds=45, layers=layers)


@scene
def flag(rng: Rng) -> Scene:
    return Scene(rng, seconds=45, layers=[weather.Flag(rng, SHAPE, gusts(rng, 1.2))])


@scene
def sudden_gust(rng: Rng) -> Scene:
    layers: list[weather.Layer] = [weather.Tree(rng, SHAPE, after(12, 3), size=0.4) for _ in range(2)]
    return Scene(rng, layers=layers)


@scene
def water(rng: Rng) -> Scene:
    return Scene(rng, layers=[weather.Water(rng, SHAPE, 14)])


@scene
def light_steps(rng: Rng) -> Scene:
    levels = rng.uniform(0.55, 1.3, 8)
    return Scene(rng, sensor=Sensor(gain=lambda t: float(levels[int(t / 4) % 8])))


@scene
def porch_lamp(rng: Rng) -> Scene:
    lamp = weather.spot(SHAPE, float(rng.uniform(0.2, 0.8)), 0.4, float(rng.uniform(0.2, 0.5)))
    level = rng.uniform(0.5, 1.5)
    return Scene(rng, dark=0.5, light=[weather.Light(lamp, after(10, level, until_s=20))])


@scene
def clouds(rng: Rng) -> Scene:
    return Scene(rng, light=[weather.Light(_clouds(rng, 128), always(0.5), lambda t: 25 * t - 300)])


def _clouds(rng: Rng, finest: int) -> paint.Image:
    """What clouds take away of the light, 0 to -1: they add none, so that nothing reaches white by them."""
    depth = 0.5 + 0.5 * paint.fractal(rng, *SHAPE, finest=finest, coarsest=256)
    return np.asarray(-np.clip(depth, 0, 1), np.float32)


@scene
def drift(rng: Rng) -> Scene:
    return Scene(rng, seconds=60, sensor=Sensor(gain=lambda t: 0.6 + 0.012 * t))


@scene
def headlights(rng: Rng) -> Scene:
    beam = weather.spot(SHAPE, 0.5, 0.45, float(rng.uniform(0.1, 0.25)))
    speed = rng.uniform(120, 260)
    level = rng.uniform(0.8, 2.5)
    sweep = weather.Light(
        beam, always(level), lambda t: speed * (t % 12 - 6) * float(t < 28) - 500 * float(t >= 28)
    )
    return Scene(rng, dark=0.35, light=[sweep], sensor=Sensor(noise=lambda _t: 4.0))


@scene
def hunting_exposure(rng: Rng) -> Scene:
    return Scene(rng, sensor=Sensor(gain=lambda t: 1 + 0.12 * float(np.sin(t * 2.2)) * float(t > 5)))


@scene
def infrared_switch(rng: Rng) -> Scene:
    lamp = weather.spot(SHAPE, 0.5, 0.5, 0.6)
    ir = weather.Light(lamp, after(14, 2.2))
    sensor = Sensor(
        noise=lambda t: 6.0 if t < 14 else 3.0, gain=lambda t: 1.5 - min(0.5, max(0.0, t - 14)) if t > 14 else 1.0
    )
    return Scene(rng, dark=0.3, light=[ir], sensor=sensor)


@scene
def night_noise(rng: Rng) -> Scene:
    return Scene(
        rng, dark=0.25, sensor=Sensor(noise=lambda t: 4.0 if t < 12 else 10.0, gain=lambda t: 1 if t < 12 else 1.4)
    )


@scene
def insects(rng: Rng) -> Scene:
    return Scene(rng, dark=0.5, light=[weather.Insects(rng, SHAPE, 30)], sensor=Sensor(noise=lambda _t: 4.0))


@scene
def tree_shadows(rng: Rng) -> Scene:
    return Scene(rng, seconds=45, layers=[weather.TreeShadow(rng, SHAPE, gusts(rng, 5), 0.35)])


@scene
def shake(rng: Rng) -> Scene:
    return Scene(rng, light=[weather.Shake(rng, after(6, 4, until_s=22))])


@scene
def flicker(rng: Rng) -> Scene:
    return Scene(rng, dark=0.6, sensor=Sensor(gain=lambda t: 1 + 0.08 * float(np.sin(2 * np.pi * 50.7 * t))))
