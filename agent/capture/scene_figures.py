"""What moves in the drawn scenes: a visitor, a tree, rain, traffic. Pure functions of the time."""

import itertools
import math

import numpy as np

from agent.capture.scene_brush import HEIGHT, WIDTH, Brush, Colour, Place

# A visit, as fractions of the period: hidden, coming, at the door, going, hidden.
COMES, ARRIVES, LEAVES, GONE = 0.36, 0.53, 0.61, 0.79
_ROUTE: tuple[Place, ...] = ((1010, 366), (930, 366), (768, 372), (690, 440), (560, 570), (392, 690))
_COATS: tuple[Colour, ...] = ((150, 74, 44), (54, 62, 176), (60, 128, 70), (40, 150, 200), (120, 60, 120))
_SKIN: Colour = (150, 178, 214)
_HAIR: tuple[Colour, ...] = ((36, 46, 62), (60, 96, 140), (30, 30, 34))
_CARS: tuple[Colour, ...] = ((60, 60, 190), (170, 110, 60), (200, 200, 204), (50, 52, 56), (90, 150, 80))
HEDGE_X = 972
_STEPS_A_SECOND = 1.9


def visitor(brush: Brush, time_s: float, period_s: float, seed: int, *, umbrella: bool) -> None:
    """Somebody comes from behind the hedge to the door, rings, and goes again, once in each period."""
    visit, phase = divmod(time_s / period_s, 1.0)
    if not COMES < phase < GONE:
        return
    coming, going = phase - COMES, phase - LEAVES
    foot = _along(min(coming / (ARRIVES - COMES), 1 - max(going, 0) / (GONE - LEAVES), 1.0))
    stands = ARRIVES <= phase <= LEAVES
    swing = 0.0 if stands else math.sin(time_s * math.tau * _STEPS_A_SECOND / 2)
    rings = stands and 0.15 < (phase - ARRIVES) / (LEAVES - ARRIVES) < 0.5  # noqa: PLR2004 - of the time at the door
    looks = seed + int(visit)
    _person(brush, foot, swing, looks, rings=rings, parcel=going <= 0, umbrella=umbrella)
    brush.restore(HEDGE_X, 200, WIDTH, 420)  # comes out from behind the hedge


def _along(part: float) -> Place:
    """Return the place at a part of the route, by its length as a walker sees it: far steps look short."""
    costs = [math.dist(a, b) / _size((a[1] + b[1]) / 2) for a, b in itertools.pairwise(_ROUTE)]
    done = list(itertools.accumulate(costs, initial=0.0))
    at = part * done[-1]
    across, down = zip(*_ROUTE, strict=True)
    return float(np.interp(at, done, across)), float(np.interp(at, done, down))


def _size(y: float) -> float:
    """Return how tall a person is whose feet are at `y`."""
    return 92 + (y - 366) * 1.16


def _person(
    brush: Brush, foot: Place, swing: float, looks: int, *, rings: bool, parcel: bool, umbrella: bool
) -> None:
    x, y = foot
    tall = _size(y)
    u = tall / 8  # a head is an eighth of a person
    coat, hair = _COATS[looks % len(_COATS)], _HAIR[looks % len(_HAIR)]
    dark: Colour = (coat[0] * 3 // 4, coat[1] * 3 // 4, coat[2] * 3 // 4)
    brush.oval((x + 0.9 * u, y + 0.1 * u), 1.7 * u, 0.42 * u, (74, 92, 88))
    hip, neck = y - 3.9 * u, y - 6.7 * u
    bob = abs(swing) * 0.12 * u
    for side, colour in ((-1, (58, 50, 46)), (1, (72, 62, 56))):
        step = side * swing * 1.15 * u
        knee = (x + step * 0.6 - 0.2 * u, y - 2.0 * u)
        brush.line(((x + side * 0.25 * u, hip + bob), knee, (x + step, y - 0.15 * u)), 0.85 * u, colour)
        brush.oval((x + step - 0.25 * u, y - 0.1 * u), 0.55 * u, 0.24 * u, (34, 34, 38))
    brush.line(
        ((x + 0.7 * u, neck + 0.4 * u), (x + 1.1 * u + swing * 0.5 * u, hip - u), (x + 0.8 * u + swing * u, hip)),
        0.7 * u,
        dark,
    )
    brush.polygon(
        (
            (x - 0.8 * u, neck + bob),
            (x + 0.8 * u, neck + bob),
            (x + 0.95 * u, hip + 0.5 * u),
            (x - 0.95 * u, hip + 0.5 * u),
        ),
        coat,
    )
    brush.oval((x, neck + bob), 0.85 * u, 0.45 * u, coat)
    hand = (x - 2.3 * u, neck + 1.2 * u) if rings else (x - 1.0 * u - swing * u, hip)
    brush.line(((x - 0.7 * u, neck + 0.4 * u), (x - 1.2 * u, neck + 1.7 * u), hand), 0.7 * u, coat)
    brush.oval(hand, 0.32 * u, 0.32 * u, _SKIN)
    if parcel:
        brush.box(x + 0.1 * u, hip - 1.3 * u, x + 1.9 * u, hip, (98, 148, 188))
        brush.box(x + 0.9 * u, hip - 1.3 * u, x + 1.1 * u, hip, (140, 190, 220))
    brush.box(x - 0.25 * u, neck - 0.4 * u + bob, x + 0.3 * u, neck + 0.2 * u + bob, _SKIN)
    brush.oval((x - 0.05 * u, neck - 0.75 * u + bob), 0.55 * u, 0.68 * u, _SKIN)
    brush.oval((x + 0.14 * u, neck - 1.0 * u + bob), 0.58 * u, 0.5 * u, hair)
    if umbrella:
        top = neck - 2.4 * u
        brush.line(((x + 0.9 * u, hip - u), (x + 0.9 * u, top)), 0.16 * u, (60, 60, 64))
        brush.polygon(
            [
                (x + 0.9 * u + 2.6 * u * math.cos(a), top - 1.3 * u * math.sin(a))
                for a in np.linspace(0, math.pi, 13)
            ],
            dark,
        )


def tree(brush: Brush, time_s: float, seed: int) -> None:
    """The crown of a tree in a wind that comes and goes."""
    random = np.random.default_rng(seed + 4)
    leaves = random.uniform((-1, -1, 0, 0), (1, 1, math.tau, 1), (34, 4)).tolist()
    wind = 0.55 + 0.45 * math.sin(time_s * math.tau / 11 + seed)
    for index, (across, down, turn, tone) in enumerate(leaves):
        sway = wind * (13 * math.sin(time_s * 2.1 + turn * 0.4) + 5 * math.sin(time_s * 4.7 + turn))
        x = 1072 + across * 128 + sway * (1.1 - down)
        y = 156 + down * 92 + wind * 2.5 * math.sin(time_s * 3.3 + turn)
        green = int(104 + 52 * tone)
        brush.oval((x, y), 52 - index % 3 * 8, 38, (int(54 + 20 * tone), green, int(66 + 22 * tone)))


def rain(brush: Brush, time_s: float, seed: int) -> None:
    """Streaks that fall through the picture, new ones in every frame."""
    frame = round(time_s * 1000)
    random = np.random.default_rng((seed, frame))
    drops = random.uniform((0, -40, 12, 0), (WIDTH, HEIGHT, 34, 1), (170, 4)).tolist()
    for x, y, length, near in drops:
        grey = int(186 + 40 * near)
        brush.line(((x, y), (x - length * 0.16, y + length)), 1.0 + near, (grey, grey, grey - 6))


def traffic(brush: Brush, time_s: float, period_s: float, seed: int) -> None:
    """A car each way and a walker on the pavement, once in each period."""
    visit, phase = divmod(time_s / period_s, 1.0)
    looks = seed + int(visit)
    if 0.50 < phase < 0.86:  # noqa: PLR2004 - when the walker passes
        along = (phase - 0.50) / 0.36
        swing = math.sin(time_s * math.tau * _STEPS_A_SECOND / 2)
        _person(
            brush,
            (WIDTH + 40 - along * (WIDTH + 80), 366),
            swing,
            looks,
            rings=False,
            parcel=False,
            umbrella=False,
        )
    for start, y, way in ((0.20, 424, 1), (0.34, 520, -1)):
        along = (phase - start) / 0.14
        if 0 < along < 1:
            x = -190 + along * (WIDTH + 380)
            _car(brush, x if way > 0 else WIDTH - x, y, way, _CARS[(looks + way) % len(_CARS)])


def _car(brush: Brush, x: float, y: float, way: int, colour: Colour) -> None:
    def at(along: float, up: float) -> Place:
        return x + way * along, y - up

    brush.oval((x, y + 3), 150, 12, (70, 68, 66))
    body = ((-140, 8), (-138, 44), (-104, 56), (-64, 96), (34, 98), (82, 58), (132, 46), (142, 10))
    brush.polygon([at(*place) for place in body], colour)
    for window in (((-84, 58), (-56, 88), (-14, 90), (-14, 58)), ((-4, 58), (-4, 90), (30, 90), (62, 58))):
        brush.polygon([at(*place) for place in window], (122, 108, 92))
    for along in (-86, 88):
        brush.oval(at(along, 8), 25, 25, (36, 36, 38))
        brush.oval(at(along, 8), 12, 12, (168, 168, 172))
    brush.oval(at(134, 38), 9, 7, (196, 240, 250))
    brush.oval(at(-134, 38), 7, 9, (60, 60, 210))
