"""What stands still in the drawn scenes. Pure."""

import itertools

import cv2
import numpy as np

from agent.capture.scene_brush import HEIGHT, WIDTH, Brush, Colour

_PATH_Y, _PATH_LEFT, _PATH_RIGHT = (362, 560, 600, 720), (742, 399, 330, 120), (792, 690, 668, 600)
_WALL_RIGHT = 326
_BRICKS: tuple[Colour, ...] = ((70, 92, 168), (62, 84, 152), (78, 100, 178), (66, 88, 160))
_HOUSES: tuple[tuple[float, Colour, Colour], ...] = (
    (380, (196, 214, 226), (72, 78, 120)),
    (560, (176, 206, 214), (88, 92, 104)),
    (745, (202, 208, 230), (64, 72, 128)),
)


def porch(brush: Brush, seed: int) -> None:
    """A doorstep by day: door and brick wall on the left, a path to the garden gate, the street behind."""
    brush.fade(0, 300, (232, 188, 142), (240, 226, 208))
    for left, wall, roof in _HOUSES:
        _house(brush, left, wall, roof)
    brush.fade(300, 334, (92, 148, 104), (84, 140, 98))
    brush.box(0, 334, WIDTH, 346, (128, 126, 124))  # the street
    brush.box(0, 346, WIDTH, 362, (186, 188, 190))  # the pavement
    brush.fade(362, HEIGHT, (72, 146, 88), (58, 128, 92))
    brush.grain(362, HEIGHT, 9, seed)
    _path(brush, seed)
    _fence(brush)
    _hedge(brush, seed)
    brush.polygon(((1046, 470), (1060, 220), (1084, 220), (1100, 470)), (58, 78, 96))  # the tree's trunk
    _wall(brush)
    _door(brush)


def wet_porch(brush: Brush, seed: int) -> None:
    """The same on a grey day, the path dark and shining."""
    porch(brush, seed)
    grey = cv2.cvtColor(cv2.cvtColor(brush.picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    cv2.addWeighted(brush.picture, 0.45, grey, 0.5, 0, dst=brush.picture)
    for x, y, wide in ((610, 560, 62), (720, 455, 34), (520, 655, 84)):
        brush.oval((x, y), wide, wide * 0.2, (182, 176, 168))


def porch_at_night(brush: Brush, seed: int) -> None:
    """The same in infrared: grey, lit by the camera, dark where nothing is near."""
    porch(brush, seed)
    grey = cv2.cvtColor(brush.picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    height, width = grey.shape
    x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    lit = np.exp(-(((x - 0.42) / 0.42) ** 2) - ((y - 0.85) / 0.6) ** 2)
    brush.picture[:] = (grey * (0.07 + 0.62 * lit)).astype(np.uint8)[..., None]
    brush.oval((182, 96), 26, 18, (176, 176, 176))  # the lamp above the door


def street(brush: Brush, seed: int) -> None:
    """A street seen across a low hedge: houses, pavement, two lanes."""
    brush.fade(0, 320, (232, 190, 146), (240, 226, 210))
    for left, wall, roof in ((-40, *_HOUSES[1][1:]), (230, *_HOUSES[0][1:]), (620, *_HOUSES[2][1:])):
        _house(brush, left, wall, roof, size=2.1)
    _house(brush, 1000, (190, 204, 216), (70, 84, 96), size=2.1)
    brush.fade(318, 352, (190, 190, 192), (178, 178, 180))
    brush.fade(352, 560, (112, 110, 108), (96, 94, 92))
    brush.grain(352, 560, 5, seed)
    for left in range(-20, WIDTH, 150):
        brush.box(left, 448, left + 80, 456, (206, 212, 214))
    brush.fade(560, 610, (182, 184, 186), (170, 172, 174))
    brush.fade(610, HEIGHT, (64, 132, 78), (46, 104, 66))
    brush.grain(610, HEIGHT, 14, seed + 1)


def _house(brush: Brush, left: float, wall: Colour, roof: Colour, *, size: float = 1.0) -> None:
    base = 304.0 if size == 1.0 else 320.0
    wide, high = 170 * size, 78 * size
    top = base - high
    brush.box(left, top, left + wide, base, wall)
    brush.polygon(((left - 8, top), (left + wide / 2, top - 52 * size), (left + wide + 8, top)), roof)
    for column in (0.16, 0.62):
        x = left + wide * column
        brush.box(x, top + 18 * size, x + 34 * size, top + 48 * size, (236, 238, 240))
        brush.box(x + 3 * size, top + 21 * size, x + 31 * size, top + 45 * size, (124, 104, 84))
    brush.box(left + wide * 0.42, base - 44 * size, left + wide * 0.56, base, (78, 66, 88))


def _path(brush: Brush, seed: int) -> None:
    """Flags in rows, larger as they come nearer."""
    brush.polygon(((742, 362), (792, 362), (690, 560), (600, 720), (120, 720), (330, 600)), (134, 148, 156))
    shades = np.random.default_rng(seed + 2).integers(-12, 14, (12, 3)).tolist()
    rows = [362 + 358 * (index / 12) ** 1.7 for index in range(13)]
    for row, (top, bottom) in enumerate(itertools.pairwise(rows)):
        for column in range(3):
            corners = []
            for y, share in ((top, 0), (top, 1), (bottom, 1), (bottom, 0)):
                left, right = np.interp(y, _PATH_Y, _PATH_LEFT), np.interp(y, _PATH_Y, _PATH_RIGHT)
                gap = 0.012 if share == 0 else -0.012
                corners.append((left + (right - left) * ((column + share) / 3 + gap), y + (2 if y == top else 0)))
            shade = shades[row][column]
            brush.polygon(corners, (150 + shade, 164 + shade, 174 + shade))


def _fence(brush: Brush) -> None:
    for left, right in ((330, 728), (806, WIDTH)):
        brush.box(left, 330, right, 336, (226, 230, 232))
        brush.box(left, 352, right, 358, (226, 230, 232))
        for x in range(left, right, 18):
            brush.polygon(((x, 368), (x, 322), (x + 5, 316), (x + 10, 322), (x + 10, 368)), (238, 241, 243))
    for x in (728, 796):
        brush.box(x, 306, x + 10, 372, (214, 218, 220))


def _hedge(brush: Brush, seed: int) -> None:
    brush.box(960, 300, WIDTH, 392, (52, 104, 62))
    places = np.random.default_rng(seed + 3).uniform((955, 292), (WIDTH + 5, 388), (90, 2))
    for index, (x, y) in enumerate(places.tolist()):
        green = 88 + index % 5 * 9
        brush.oval((x, y), 17, 13, (44 + index % 4 * 5, green, 52 + index % 3 * 6))


def _wall(brush: Brush) -> None:
    brush.box(0, 0, 330, HEIGHT, (150, 164, 176))
    for row in range(31):
        for column in range(-1, 6):
            left = column * 62 + (31 if row % 2 else 0)
            if left >= _WALL_RIGHT:
                continue
            colour = _BRICKS[(row * 5 + column * 3) % len(_BRICKS)]
            brush.box(left + 2, row * 24 + 2, min(left + 60, _WALL_RIGHT), row * 24 + 22, colour)
    brush.box(322, 0, 334, HEIGHT, (196, 206, 214))
    brush.polygon(((40, 690), (345, 690), (400, HEIGHT), (0, HEIGHT)), (176, 184, 190))  # the step


def _door(brush: Brush) -> None:
    brush.box(74, 138, 290, 690, (222, 228, 232))
    brush.box(88, 152, 276, 690, (74, 92, 42))
    for top, bottom in ((176, 300), (330, 476), (506, 656)):
        for left in (108, 192):
            brush.box(left, top, left + 64, bottom, (60, 76, 32))
            brush.box(left + 5, top + 6, left + 64, bottom, (88, 108, 54))
    for left in (113, 197):  # glass in the upper panels
        brush.box(left, 182, left + 54, 294, (168, 158, 132))
    brush.oval((262, 424), 8, 8, (70, 178, 214))
    brush.box(226, 404, 246, 410, (80, 190, 222))
    brush.box(304, 396, 318, 428, (232, 236, 238))  # the bell
    brush.oval((311, 412), 5, 5, (90, 160, 60))
    brush.polygon(((158, 112), (206, 112), (198, 84), (166, 84)), (70, 70, 74))  # the lamp
    brush.box(170, 112, 194, 124, (178, 226, 246))
    brush.polygon(((92, 690), (272, 690), (290, 716), (76, 716)), (66, 88, 120))  # the mat
    cv2.putText(
        brush.picture,
        "7",
        (round(172 * brush.across), round(320 * brush.down)),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.9 * brush.across,
        (80, 190, 222),
        max(1, round(3 * brush.across)),
        cv2.LINE_AA,
    )
