"""Real H.264 for the tests of the buffer: small pictures, Annex B, no parameter sets in the packets."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import av
import numpy as np

from agent.buffer.packet import Packet
from agent.capture.h264 import codec_name, parse_extradata
from agent.capture.source import StreamInfo

WIDTH, HEIGHT = 160, 120
FRAME_NS = 100_000_000


@cache
def encoded(frames: int, gop: int, seed: int = 1) -> tuple[bytes, tuple[tuple[bytes, bool], ...]]:
    """Return extradata (Annex B) and (access unit, is key frame) for a moving picture."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base = Fraction(1, 90_000)
    context.framerate = Fraction(10)
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:repeat-headers=0",
    }
    context.flags |= int(av.codec.context.Flags.global_header)
    picture = np.random.default_rng(seed).integers(0, 256, (HEIGHT * 3 // 2, WIDTH), np.uint8)
    units = []
    for n in range(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(picture, n, axis=1)), format="yuv420p")
        frame.pts = n * 9_000
        frame.time_base = Fraction(1, 90_000)
        units += [(bytes(one), one.is_keyframe) for one in context.encode(frame)]
    assert context.extradata is not None
    return context.extradata, tuple(units)


def film(times_ns: Sequence[int], *, gop: int) -> tuple[bytes, list[Packet]]:
    """Return extradata and packets with these capture times, a key frame every `gop`."""
    extradata, units = encoded(len(times_ns), gop)
    return extradata, [
        Packet(memoryview(data), time_ns, is_key) for (data, is_key), time_ns in zip(units, times_ns, strict=True)
    ]


def stream_info(extradata: bytes) -> StreamInfo:
    """Describe that stream as a source does."""
    sets = parse_extradata(extradata).sets
    return StreamInfo(
        codec=codec_name(sets),
        width=WIDTH,
        height=HEIGHT,
        extradata=sets,
        fps=10.0,
        masked=0,
        motion_size=(64, 48),
    )
