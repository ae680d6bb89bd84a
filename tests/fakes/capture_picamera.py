"""picamera2 without a camera: the same calls, callbacks and threads, frames when the test says so.

As in picamera2, `pre_callback` runs in the event loop's thread before the encoder sees the frame, and what it
raises ends that thread. Encoding is real (libx264).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from agent.capture.picamera_stack import OnPacket, Stream
from agent.capture.source import CameraSettings
from agent.capture.x264 import Encoder
from agent.core.errors import TroubleError


@dataclass
class FakeRequest:
    """A completed request: two buffers, a stamp, a count of holders."""

    stamp: int
    buffers: dict[str, np.ndarray[Any, np.dtype[np.uint8]]]
    holders: int = 1
    mapped: int = 0

    def acquire(self) -> None:
        assert self.holders > 0
        self.holders += 1

    def release(self) -> None:
        assert self.holders > 0
        self.holders -= 1


@dataclass
class FakePicamera2:
    """Configured with `main` and `lores` as the test wants, whatever is asked for."""

    main: Stream
    lores: Stream
    pre_callback: Any = None
    encoder: Any = None
    started: bool = False
    closed: int = 0
    fails: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    requests: list[FakeRequest] = field(default_factory=list)
    dead: bool = False

    def create_video_configuration(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return asked

    def configure(self, asked: dict[str, Any]) -> None:
        if self.fails == "configure":
            raise RuntimeError("no such size")
        assert asked is self.asked

    def camera_configuration(self) -> dict[str, Any]:
        return {
            name: {"format": one.format, "size": (one.width, one.height), "stride": one.stride}
            for name, one in (("main", self.main), ("lores", self.lores))
        }

    def start_encoder(self, encoder: Any, output: Any) -> None:
        assert output is encoder.output
        self.encoder = encoder

    def start(self) -> None:
        if self.fails == "start":
            raise RuntimeError("busy")
        self.started = True
        if self.fails != "silent":
            self.frame(0, 100)

    def frame(self, stamp_us: int, level: int) -> None:
        """Complete one request: what picamera2's event loop does with it."""
        if self.dead:
            return
        buffers = {name: _buffer(one, level) for name, one in (("main", self.main), ("lores", self.lores))}
        request = FakeRequest(stamp_us * 1000 + 1_000_000_000_000, buffers)
        self.requests.append(request)
        self.dead = True  # stays, unless everything below goes well
        self.pre_callback(request)
        self.encoder.encode(request)
        self.dead = False
        request.release()

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeStack:
    """See `agent.capture.picamera_stack.Stack`."""

    camera: FakePicamera2

    def open_camera(self) -> FakePicamera2:
        if self.camera.fails == "open":
            raise TroubleError("camera-missing", "no camera is found")
        return self.camera

    def close_camera(self, camera: FakePicamera2) -> None:
        camera.close()

    def make_encoder(self, settings: CameraSettings, on_packet: OnPacket) -> Any:
        return _FakeEncoder(self.camera.main, settings, on_packet)

    @contextmanager
    def map(self, request: FakeRequest, stream: str) -> Iterator[SimpleNamespace]:
        assert request.holders > 0
        request.mapped += 1
        yield SimpleNamespace(array=request.buffers[stream])
        request.mapped -= 1

    def stamp_ns(self, request: FakeRequest) -> int:
        return request.stamp

    @contextmanager
    def trouble(self, text: str) -> Iterator[None]:
        try:
            yield
        except RuntimeError as exc:
            raise TroubleError("camera-failed", text) from exc


class _FakeEncoder:
    def __init__(self, main: Stream, settings: CameraSettings, on_packet: OnPacket) -> None:
        self.output = object()
        self._main, self._on_packet = main, on_packet
        self._encoder = Encoder(main.width, main.height, fps=settings.fps, bitrate=settings.bitrate)
        self._first_us: int | None = None
        self.sets = self._encoder.extradata

    def encode(self, request: FakeRequest) -> None:
        canvas, buffer = self._encoder.canvas, request.buffers["main"]
        np.copyto(canvas.luma, self._main.luma(buffer))
        canvas.blue[:] = canvas.red[:] = 128
        stamp_us = request.stamp // 1000
        self._first_us = self._first_us or stamp_us
        packet = self._encoder.encode(request.stamp)
        data = (self.sets if packet.is_keyframe else b"") + bytes(packet.data)
        self._on_packet(data, self._first_us, stamp_us - self._first_us, is_keyframe=packet.is_keyframe)


def _buffer(stream: Stream, level: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full(stream.stride * stream.height * 3 // 2 + 64, level, np.uint8)
