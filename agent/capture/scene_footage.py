"""A drawn scene as footage, for machines without a camera or a video."""

import cv2
import numpy as np
from av.video.frame import VideoFrame

from agent.capture.pyav_input import Shape, Unit
from agent.capture.pyav_planes import plane_view
from agent.capture.scene import Scene

_NS = 1_000_000_000


class SceneFootage:
    """Draws a scene frame by frame, without an end.

    Args:
        scene: what to draw; its width and height are even.
        fps: frames a second.
    """

    def __init__(self, scene: Scene, fps: float) -> None:
        self._scene, self._fps = scene, fps
        width, height = scene.width, scene.height
        self.shape = Shape(width, height, fps, passable=False, extradata=b"", colour={})
        self._number = 0
        self._frame = VideoFrame(width, height, "yuv420p")
        self._planes = [plane_view(self._frame, index) for index in range(3)]
        self._yuv = np.zeros((height * 3 // 2, width), np.uint8)

    @property
    def frame_ns(self) -> int:
        """Nominal time of one frame."""
        return round(_NS / self._fps)

    def next(self) -> Unit | None:
        """Return the next picture, drawn into the same frame each time."""
        time_s = self._number / self._fps
        cv2.cvtColor(self._scene.draw(time_s), cv2.COLOR_BGR2YUV_I420, dst=self._yuv)
        luma, blue, red = self._planes
        height, width = luma.shape
        chroma = self._yuv[height:].reshape(2, height // 2, width // 2)
        np.copyto(luma, self._yuv[:height])
        np.copyto(blue, chroma[0])
        np.copyto(red, chroma[1])
        self._scene.add_noise(luma, self._number)
        unit = Unit(round(self._number * _NS / self._fps), None, self._frame)
        self._number += 1
        return unit

    def close(self) -> None:
        """Nothing is open."""
