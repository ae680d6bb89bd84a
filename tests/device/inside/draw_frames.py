"""Draw what the virtual camera plays: the doorstep at night, one visit in a film of sixteen seconds.

The night scene is used because it has no tree: the film starts over, and only a still picture joins without a
jump.
"""

import sys
from pathlib import Path

import cv2

from agent.capture.scene import Scene
from tests.device.stand_ins.virtual_camera import FPS

PICTURES = 40
SHOWN_FRAMES = 4  # libcamera's virtual camera shows each picture that often
FRAMES = PICTURES * SHOWN_FRAMES


def main(folder: Path) -> None:
    """Write numbered JPEGs."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene("night", 640, 360, seed=1, period_s=FRAMES / FPS)
    for number in range(PICTURES):
        path = folder / f"{number:03}.jpg"
        cv2.imwrite(str(path), scene.draw(number * SHOWN_FRAMES / FPS), [cv2.IMWRITE_JPEG_QUALITY, 95])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
