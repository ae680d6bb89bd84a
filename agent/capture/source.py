"""The port between a camera and the house: what every source gives, whatever stands behind it.

Rules of this room:

1. One wake-up for each frame. A `Moment` carries the frame's luma plane and every packet that has arrived
   since the last one, so that ring and motion share it.
2. One time base. `capture_ns` is CLOCK_BOOTTIME of the exposure, for luma and packets alike, and rises from
   packet to packet. No source knows UTC.
3. One form of H.264. Packets are access units in Annex B (start codes) without SPS, PPS or access unit
   delimiter; `StreamInfo.extradata` holds SPS and PPS once, in Annex B too. No B-frames: packets come in the
   order in which they are shown. A key frame about every two seconds; the first packet is one.
4. One stream from `open` to `close`. A source whose parameters change raises `TroubleError`; whoever opens it
   again gets a new `StreamInfo`.
5. What is hidden is hidden from all: privacy zones are burnt in before the encoder and before motion sees the
   frame. A source that can't burn them in raises `TroubleError` with code "zones" and gives nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.uint8]
Polygon = Sequence[tuple[float, float]]

KEY_FRAME_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded frame.

    Attributes:
        data: the access unit, Annex B, contiguous bytes. Stays valid for as long as it is held.
        capture_ns: CLOCK_BOOTTIME at which the frame was taken.
        is_keyframe: decoding can start here.
    """

    data: memoryview
    capture_ns: int
    is_keyframe: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """One wake-up: a frame for motion, and the packets since the last one.

    Attributes:
        capture_ns: CLOCK_BOOTTIME at which the frame of `luma` was taken.
        luma: uint8[height, width] of `motion_size`, rows may be padded (check strides, not contiguity). A
            view: valid until the next `read` or `close`; copy what must live longer.
        packets: in order, often one. An encoder that lags gives the last frame's packet with this luma; a
            moment without a packet and one with several are normal.
        dropped: frames that the camera took and that reached neither luma nor packets, since the last moment.
    """

    capture_ns: int
    luma: Luma
    packets: tuple[Packet, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What stays the same from `open` to `close`.

    Attributes:
        codec: RFC 6381, such as "avc1.42c01f".
        width, height: of the encoded picture, in pixels as shown (cropping applied).
        extradata: SPS and PPS in Annex B; what PyAV's muxer takes as `codec_context.extradata`.
        fps: nominal frames a second; the true times are in the packets.
        masked: privacy zones burnt in.
        motion_size: (width, height) of every `Moment.luma`.
    """

    codec: str
    width: int
    height: int
    extradata: bytes = field(repr=False)
    fps: float
    masked: int
    motion_size: tuple[int, int]


@dataclass(slots=True)
class FrameCount:
    """Frames since the source was made, over restarts of it too.

    Attributes:
        taken: frames that came in.
        given: frames that came out: each as a `Moment`, or passed over for a newer one by a reader that was late.
        dropped: frames known to be lost between the two.
    """

    taken: int = 0
    given: int = 0
    dropped: int = 0


class CameraSettings(Protocol):
    """The part of the configuration that a source needs (`[camera]`)."""

    @property
    def source(self) -> str:
        """`picamera`, `v4l2:…`, `rtsp://…`, `file:…` or `scene:…`."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the recorded picture, where the source can choose."""
        ...

    @property
    def fps(self) -> int:
        """Frames a second, where the source can choose."""
        ...

    @property
    def bitrate(self) -> int:
        """Bits a second for the encoder; not used where packets are passed through."""
        ...

    @property
    def motion_size(self) -> tuple[int, int]:
        """Width and height of the luma plane."""
        ...

    @property
    def privacy_zones(self) -> Sequence[Polygon]:
        """Polygons in fractions of the picture, (0, 0) top left, (1, 1) bottom right."""
        ...


class Source(Protocol):
    """A camera. Used by one thread; opened once, closed any number of times."""

    @property
    def count(self) -> FrameCount:
        """Frames in, out and dropped so far."""
        ...

    def open(self) -> StreamInfo:
        """Start the camera and say what it gives.

        Raises:
            TroubleError: "camera-missing", "camera-unreadable", "camera-failed", "zones". Nothing stays open.
        """
        ...

    def read(self, timeout_s: float) -> Moment:
        """Wait for the next frame.

        Raises:
            TroubleError: "camera-frozen" when none came within `timeout_s`, "not-due" when none was due:
                after both, reading again is allowed. "camera-ended" when a file that doesn't loop is over,
                "camera-failed", "camera-changed" or "zones": after these the source can only be closed.
        """
        ...

    def close(self) -> None:
        """Stop the camera and give everything back. Closing again is nothing. Never raises."""
        ...
