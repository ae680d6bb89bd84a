"""Draw what the virtual camera plays: the doorstep at night, one visit in ten seconds.

The night scene is used because it has no tree: the film starts over, and only a still picture joins without a
jump.
"""

import sys
from pathlib import Path

import cv2

from agent.capture.scene import Scene
from tests.device.stand_ins.virtual_camera import FPS

FRAMES = 150


def main(folder: Path) -> None:
    """Write numbered JPEGs."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene("night", 1280, 720, seed=1, period_s=FRAMES / FPS)
    for number in range(FRAMES):
        path = folder / f"{number:03}.jpg"
        cv2.imwrite(str(path), scene.draw(number / FPS), [cv2.IMWRITE_JPEG_QUALITY, 95])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
