"""Cameras for tests: settings, clocks, clips on disk."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from agent.capture.source import Polygon
from agent.core.ids import Id

NS = 1_000_000_000


@dataclass(frozen=True)
class Camera:
    """`[camera]`, small."""

    source: str = "scene:still"
    size: tuple[int, int] = (320, 180)
    fps: int = 10
    bitrate: int = 500_000
    motion_size: tuple[int, int] = (160, 90)
    privacy_zones: Sequence[Polygon] = ()


@dataclass
class HandClock:
    """A clock that moves only when somebody sleeps on it or pushes it."""

    now_ns: int = 1000 * NS
    slept: list[float] = field(default_factory=list)

    def boot_ns(self) -> int:
        return self.now_ns

    def utc_ms(self) -> int:
        return self.now_ns // 1_000_000

    def synchronised(self) -> bool:
        return True

    def boot_id(self) -> Id:
        return Id("0" * 32)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += round(seconds * NS)


class BootClock(HandClock):
    """The kernel's boot time."""

    def boot_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def picture(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A grey field with a square that moves and says which frame it is: its luma is 60 + number."""
    rgb = np.full((height, width, 3), 120, np.uint8)
    left = (number * 3) % max(width - 40, 1)
    rgb[height // 4 : height // 4 + 40, left : left + 40] = min(60 + number, 250)
    return rgb


@dataclass(frozen=True)
class Clip:
    """How a test clip is made."""

    frames: int = 30
    width: int = 320
    height: int = 180
    fps: int = 10
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"bf": "0", "g": "10"})
    stamps: Sequence[int] | None = None  # in milliseconds


def write_clip(path: Path, clip: Clip) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(clip.codec, rate=clip.fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, clip.pix_fmt
        stream.options = dict(clip.options)
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(clip.frames):
            frame = VideoFrame.from_ndarray(picture(number, clip.width, clip.height), format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = clip.stamps[number] if clip.stamps else round(number * 1000 / clip.fps)
            container.mux(stream.encode(frame.reformat(format=clip.pix_fmt)))
        container.mux(stream.encode(None))
    return path


def packets_of(path: Path) -> list[bytes]:
    """The packets of a file, as its container holds them."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def decode(extradata: bytes, packets: Sequence[memoryview]) -> list[VideoFrame]:
    """Decode Annex B packets with a decoder of their own."""
    context = av.CodecContext.create("h264", "r")
    context.extradata = extradata
    context.thread_type = "NONE"
    frames: list[VideoFrame] = []
    for data in packets:
        frames += context.decode(av.Packet(bytes(data)))
    frames += context.decode(None)
    return frames
