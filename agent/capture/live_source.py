"""Live streams through PyAV: `v4l2:` and `rtsp:`.

`LiveStream` blocks while FFmpeg blocks; `agent.capture.pump` puts it into a thread of its own, because FFmpeg's
V4L2 reader heeds no time limit and a network stream must be emptied while the house is busy.
"""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType
from urllib.parse import urlsplit

from agent.capture.pyav_input import Address, Input, Unit
from agent.capture.source import CameraSettings, FrameCount, Moment, StreamInfo
from agent.capture.stage import Stage, make_stage
from agent.capture.timeline import Timeline
from agent.core.clock import Clock
from agent.core.errors import TroubleError

OPEN_S = 10.0
READ_S = 5.0  # a stream that is silent for longer is frozen
_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


def v4l2_address(device: str, settings: CameraSettings, options: Mapping[str, str] = _NO_OPTIONS) -> Address:
    """Return how to open a Video4Linux device.

    Args:
        device: such as /dev/video0.
        settings: `[camera]`; size and fps are asked for, the driver may choose others.
        options: `input_format`, such as mjpeg or h264.
    """
    width, height = settings.size
    wanted = {"video_size": f"{width}x{height}", "framerate": str(settings.fps), **options}
    return Address(device, device, format="video4linux2,v4l2", options=wanted, is_device=True)


def rtsp_address(url: str) -> Address:
    """Return how to open a network camera: over TCP, video only; shown by its host and port alone.

    Some cameras take the password in the path.
    """
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    options = {
        "rtsp_transport": "tcp",
        "allowed_media_types": "video",
        "analyzeduration": "500000",  # microseconds: what is probed is queued, and late
        "timeout": str(int(READ_S * 1_000_000)),
    }
    return Address(url, re.sub(r"\s", "", shown), format="rtsp", options=options, open_s=OPEN_S, read_s=READ_S)


class LiveStream:
    """One live stream (see `agent.capture.source.Source`; `read` blocks for up to `READ_S`, whatever is asked).

    Args:
        address: what to open.
        settings: `[camera]`.
        clock: its boot time is when frames arrive.
    """

    def __init__(self, address: Address, settings: CameraSettings, clock: Clock) -> None:
        self._address, self._settings, self._clock = address, settings, clock
        self.count = FrameCount()
        self._input: Input | None = None
        self._stage: Stage | None = None
        self._first: tuple[Unit, int] | None = None
        self._timeline = Timeline()

    def open(self) -> StreamInfo:
        """See `Source.open`."""
        self.close()
        self._timeline = Timeline()
        with ExitStack() as undo:
            undo.callback(self.close)
            self._input = opened = Input(self._address)
            first = opened.next()
            self._first = (
                None if first is None else (first, self._clock.boot_ns())
            )  # an encoder takes time to open
            if first is None:
                text = f"there is no picture from {self._address.shown}; check the camera"
                raise TroubleError("camera-unreadable", text)
            self._stage = stage = make_stage(opened.shape, first, self._settings)
            undo.pop_all()
        return stage.info

    def read(self, timeout_s: float) -> Moment:
        """See `Source.read`."""
        del timeout_s  # FFmpeg's own is set when the stream is opened
        if self._input is None or self._stage is None:
            raise TroubleError("camera-failed", "the camera is not open")
        first, self._first = self._first, None
        unit, arrival_ns = first or (self._input.next(), self._clock.boot_ns())
        if unit is None:
            text = f"{self._address.shown} ended its stream; it is opened again"
            raise TroubleError("camera-failed", text)
        capture_ns = self._timeline.place(unit.stamp_ns, arrival_ns)
        luma, packets = self._stage.work(unit, capture_ns)
        self.count.taken += 1 + unit.broken
        self.count.dropped += unit.broken
        self.count.given += 1
        return Moment(capture_ns, luma, packets, unit.broken)

    def close(self) -> None:
        """See `Source.close`."""
        opened, self._input = self._input, None
        self._stage = self._first = None
        if opened is not None:
            opened.close()
