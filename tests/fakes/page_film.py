"""A drawn doorstep as real fragmented H.264, cut into segments as protocol section 9 wants them."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

FPS = 10
TIMESCALE = 90_000
CODEC = "avc1.42C016"
_OPTIONS = {"movflags": "empty_moov+default_base_moof+frag_discont+frag_custom+skip_trailer"}
_X264 = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "keyint=600:scenecut=0:bframes=0"}

Picture: TypeAlias = NDArray[np.uint8]


def _draw(n: int, width: int, height: int) -> Picture:
    """One picture, RGB, shape (height, width, 3): a door, a path and somebody who walks by."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2] = (150, 185, 215)
    picture[height // 2 :] = (120, 125, 118)
    picture[height // 3 : height * 5 // 6, width // 12 : width // 4] = (96, 62, 48)
    x, tall = int((0.25 + n * 0.006) % 0.9 * width), height * 2 // 5
    picture[height // 2 : height // 2 + tall, x : x + width // 16] = (32, 40, 96)
    picture[height // 2 - tall // 4 : height // 2, x : x + width // 16] = (206, 170, 140)
    return picture


def _segment(first: int, count: int, width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    container = av.open(buffer, "w", format="mp4", options={**_OPTIONS, "avoid_negative_ts": "disabled"})
    stream = container.add_stream("libx264", rate=FPS, options=_X264)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = Fraction(1, TIMESCALE)
    stream.codec_context.time_base = Fraction(1, TIMESCALE)
    packets = []
    for n in range(first, first + count):
        frame = av.VideoFrame.from_ndarray(_draw(n, width, height), format="rgb24")
        frame.pts, frame.time_base = n * TIMESCALE // FPS, Fraction(1, TIMESCALE)
        packets += stream.encode(frame)
    for packet in [*packets, *stream.encode(None)]:
        packet.duration = TIMESCALE // FPS
        container.mux(packet)
    container.close()
    return buffer.getvalue()


@lru_cache(maxsize=8)
def film_segments(count: int, *, seconds: int = 2, width: int = 640, height: int = 360) -> tuple[bytes, ...]:
    """`count` segments of one clip, each with the same init, with capture times since the clip's first frame."""
    frames = FPS * seconds
    segments = tuple(_segment(i * frames, frames, width, height) for i in range(count))
    assert len({segment[: segment.index(b"moof") - 4] for segment in segments}) == 1
    return segments
