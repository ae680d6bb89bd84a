"""Luma planes out of a video file (PyAV) or a folder of numbered pictures (OpenCV), to look at offline.

Knows nothing of motion. Every error of FFmpeg and of the file system becomes `TroubleError` here.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from agent.capture.luma import Shrinker
from agent.capture.pyav_planes import plane_view
from agent.core.errors import TroubleError

Luma = npt.NDArray[np.uint8]
_PICTURES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_PLANAR = {"gray", "nv12", "yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p"}
_DEFAULT_FPS = 25.0


class _Fit:
    """Brings planes of any size to one; the arrays are made again only when the size changes."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._from: tuple[int, ...] = ()
        self._shrinker: Shrinker | None = None

    def __call__(self, plane: Luma) -> Luma:
        if self._shrinker is None or plane.shape != self._from:
            self._from = plane.shape
            self._shrinker = Shrinker(plane.shape[1], plane.shape[0], self._size)
        return self._shrinker.shrink(plane)


def luma_planes(path: Path, size: tuple[int, int], fps: float | None) -> Iterator[tuple[float, Luma]]:
    """Yield (time in ms from the first frame, uint8[height, width]) for each frame of a video or a folder.

    Args:
        path: a video that FFmpeg reads, or a folder of pictures, numbered in their names.
        size: (width, height) of what is yielded. The array is reused.
        fps: the frame rate; None takes the video's own times, and 25 for a folder.

    Raises:
        TroubleError: there is nothing to read; code "video".
    """
    if path.is_dir():
        return _pictures(path, size, fps or _DEFAULT_FPS)
    return _video(path, size, fps)


def _pictures(folder: Path, size: tuple[int, int], fps: float) -> Iterator[tuple[float, Luma]]:
    files = sorted((p for p in folder.iterdir() if p.suffix.lower() in _PICTURES), key=_by_number)
    if not files:
        raise TroubleError("video", f"{folder} holds no pictures; give a video or a folder of numbered pictures")
    fit = _Fit(size)
    for number, file in enumerate(files):
        picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise TroubleError("video", f"cannot read the picture {file}; remove it or replace it")
        yield number * 1000 / fps, fit(np.asarray(picture, np.uint8))


def _by_number(file: Path) -> tuple[int, str]:
    numbers = re.findall(r"[0-9]+", file.stem)
    return (int(numbers[-1]) if numbers else 0, file.name)


def _video(path: Path, size: tuple[int, int], fps: float | None) -> Iterator[tuple[float, Luma]]:
    fit = _Fit(size)
    first: float | None = None
    last_ms = -1.0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise TroubleError("video", f"{path} has no picture; give a video")
            stream = container.streams.video[0]
            step_ms = 1000 / (fps or float(stream.average_rate or _DEFAULT_FPS))
            for number, frame in enumerate(container.decode(stream)):
                own_ms = None if fps or frame.time is None else frame.time * 1000
                first = own_ms if first is None else first
                t_ms = number * step_ms if own_ms is None or first is None else own_ms - first
                last_ms = t_ms if t_ms > last_ms else last_ms + step_ms
                yield last_ms, fit(_plane(frame))
    except (av.FFmpegError, OSError) as exc:
        if last_ms >= 0:
            return  # a damaged or cut-off end: what was read stands
        raise TroubleError("video", f"cannot read {path} as a video ({exc.strerror or exc})") from exc
    if last_ms < 0:
        raise TroubleError("video", f"{path} holds no frame that can be decoded")


def _plane(frame: VideoFrame) -> Luma:
    known = frame if frame.format.name in _PLANAR else frame.reformat(format="yuv420p")
    return plane_view(known, 0)
