"""A PyAV frame's planes as numpy views, without a copy."""

import numpy as np
from av.video.frame import VideoFrame

from agent.capture.source import Luma


def plane_view(frame: VideoFrame, index: int) -> Luma:
    """Return uint8[height, width] of an 8-bit plane; rows may be padded. Keeps the plane's memory alive."""
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8)
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]
