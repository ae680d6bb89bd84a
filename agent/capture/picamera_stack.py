"""picamera2 itself: what of it is used, found at run time, its errors translated.

picamera2 comes with Raspberry Pi OS and is not installed elsewhere, so it is imported when a camera is opened.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.capture.source import KEY_FRAME_INTERVAL_S, CameraSettings, Luma
from agent.capture.zones import Zones
from agent.core.errors import TroubleError

_HARDWARE = Path("/dev/video11")  # where picamera2 expects the encoder of a Pi 4 and older
_SEMI_PLANAR = ("NV12", "NV21")
_PLANAR = ("YUV420", "YVU420")

Buffer = NDArray[np.uint8]


class OnPacket(Protocol):
    """Takes an encoded frame: the first frame's stamp and the time since it, both in microseconds."""

    def __call__(self, data: bytes, first_us: int, since_us: int, *, is_keyframe: bool) -> None:
        """Keep the packet; called from a thread of picamera2's."""
        ...


class Stack(Protocol):
    """What of picamera2 the source uses."""

    def open_camera(self) -> Any:  # noqa: ANN401 - picamera2 has no types
        """Return an opened Picamera2.

        Raises:
            TroubleError: "camera-missing".
        """
        ...

    def close_camera(self, camera: Any) -> None:  # noqa: ANN401 - picamera2 has no types
        """Stop encoder and camera and give all back, even after the camera's thread died."""
        ...

    def make_encoder(self, settings: CameraSettings, on_packet: OnPacket) -> Any:  # noqa: ANN401 - as above
        """Return an H.264 encoder whose `output` calls `on_packet`."""
        ...

    def map(self, request: Any, stream: str) -> AbstractContextManager[Any]:  # noqa: ANN401 - as above
        """Map a stream's buffer: `.array` is uint8[bytes], shared with the camera."""
        ...

    def stamp_ns(self, request: Any) -> int:  # noqa: ANN401 - as above
        """Return the request's SensorTimestamp."""
        ...

    def trouble(self, text: str) -> AbstractContextManager[None]:
        """Translate picamera2's errors to `TroubleError` "camera-failed" with `text`."""
        ...


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as the camera configured it, which is not always as it was asked."""

    format: str
    width: int
    height: int
    stride: int

    def luma(self, buffer: Buffer) -> Luma:
        """Return the view uint8[height, width] of the Y plane, which comes first in all formats taken here."""
        return self._rows(buffer, 0, self.stride, self.height)[:, : self.width]

    def burn(self, buffer: Buffer, zones: Zones) -> None:
        """Black out the zones in all planes.

        Raises:
            TroubleError: "zones".
        """
        height, width, start = (self.height + 1) // 2, (self.width + 1) // 2, self.stride * self.height
        if self.format in _SEMI_PLANAR:
            chroma = self._rows(buffer, start, self.stride, height)[:, : 2 * width]
            zones.burn_nv12(self.luma(buffer), chroma.reshape(height, width, 2))
            return
        stride = self.stride // 2
        first = self._rows(buffer, start, stride, height)[:, :width]
        second = self._rows(buffer, start + stride * height, stride, height)[:, :width]
        zones.burn_yuv420(self.luma(buffer), first, second)

    def _rows(self, buffer: Buffer, start: int, stride: int, height: int) -> Luma:
        rows = buffer[start : start + stride * height]
        if rows.size != stride * height:
            raise TroubleError(
                "zones", "the camera's picture is not of the form it announced; nothing is recorded"
            )
        return rows.reshape(height, stride)


def read_stream(configured: dict[str, Any]) -> Stream:
    """Return a stream of `camera_configuration()`.

    Raises:
        TroubleError: "camera-failed" when its format has no luma plane.
    """
    form = str(configured["format"])
    if form not in _PLANAR + _SEMI_PLANAR:
        text = f"the camera gives {form} where a YUV picture is needed; check [camera] size"
        raise TroubleError("camera-failed", text)
    width, height = configured["size"]
    return Stream(form, int(width), int(height), int(configured["stride"]))


@dataclass(frozen=True, slots=True)
class Picamera2Stack:
    """The real one."""

    picamera2: Any
    encoders: Any
    platform: Any
    output_class: type[Any]
    stamp_control: Any

    def open_camera(self) -> Any:  # noqa: ANN401 - picamera2 has no types
        """See `Stack`."""
        try:
            return self.picamera2.Picamera2()
        except (RuntimeError, IndexError, OSError) as exc:
            text = "no camera is found; check its cable and that nothing else uses it"
            raise TroubleError("camera-missing", text) from exc

    def close_camera(self, camera: Any) -> None:  # noqa: ANN401 - picamera2 has no types
        """See `Stack`.

        The event loop is ended first: it may be dead, and every other call would wait for it to answer.
        """
        steps: list[Callable[[], object]] = [camera.close, camera.stop_encoder, camera.stop, camera.stop_preview]
        with ExitStack() as last_first:
            for step in steps:
                last_first.callback(_attempt, step)
        camera.pre_callback = None

    def make_encoder(self, settings: CameraSettings, on_packet: OnPacket) -> Any:  # noqa: ANN401 - as above
        """See `Stack`.

        The hardware's encoder where there is one, and libx264 elsewhere (a Pi 5). picamera2 calls every machine
        that it doesn't know VC4, so its word is not enough: the device must be there.
        """
        has_hardware = self.platform.get_platform() == self.platform.Platform.VC4 and _HARDWARE.exists()
        make = self.encoders.H264Encoder if has_hardware else self.encoders.LibavH264Encoder
        period = max(1, round(settings.fps * KEY_FRAME_INTERVAL_S))
        encoder = make(bitrate=settings.bitrate, repeat=True, iperiod=period, framerate=settings.fps)
        encoder.output = _output(self.output_class, encoder, on_packet)
        return encoder

    def map(self, request: Any, stream: str) -> AbstractContextManager[Any]:  # noqa: ANN401 - as above
        """See `Stack`."""
        mapped: AbstractContextManager[Any] = self.picamera2.MappedArray(request, stream, reshape=False)
        return mapped

    def stamp_ns(self, request: Any) -> int:  # noqa: ANN401 - as above
        """See `Stack`."""
        return int(request.request.metadata[self.stamp_control])

    @contextmanager
    def trouble(self, text: str) -> Iterator[None]:
        """See `Stack`."""
        try:
            yield
        except (RuntimeError, ValueError, OSError, KeyError) as exc:
            raise TroubleError("camera-failed", text) from exc


def load_stack() -> Picamera2Stack:
    """Import picamera2.

    Raises:
        TroubleError: "camera-missing" when it is not installed.
    """
    try:
        picamera2 = importlib.import_module("picamera2")
        encoders = importlib.import_module("picamera2.encoders")
        platform = importlib.import_module("picamera2.platform")
        outputs = importlib.import_module("picamera2.outputs")
        libcamera = importlib.import_module("libcamera")
    except ImportError as exc:
        text = "picamera2 is not installed; apt install python3-picamera2, or choose another [camera] source"
        raise TroubleError("camera-missing", text) from exc
    return Picamera2Stack(picamera2, encoders, platform, outputs.Output, libcamera.controls.SensorTimestamp)


def _attempt(step: Callable[[], object]) -> None:
    try:
        step()
    except (RuntimeError, ValueError, OSError, KeyError):
        return  # a broken camera is closed as far as it goes; the next opening says what is wrong


def _output(base: type[Any], encoder: Any, on_packet: OnPacket) -> Any:  # noqa: ANN401 - picamera2 has no types
    def outputframe(
        self: object,
        frame: bytes,
        keyframe: bool = True,  # noqa: FBT001, FBT002 - picamera2's signature
        timestamp: int | None = None,
        packet: object = None,
        audio: bool = False,  # noqa: FBT001, FBT002 - same
    ) -> None:
        del self, packet
        if not audio and timestamp is not None:
            on_packet(frame, int(encoder.firsttimestamp), timestamp, is_keyframe=keyframe)

    return type("PacketOutput", (base,), {"outputframe": outputframe})()
