"""From a decoded picture to luma and packets: passed through, or encoded.

Packets are passed through, byte for byte but for their framing, when they are H.264 without B-frames and
nothing has to be hidden. All else is drawn on the encoder's canvas, masked there, and encoded; motion then sees
the masked canvas.
"""

from typing import Protocol

import numpy as np
from av.video.frame import VideoFrame

from agent.capture import h264
from agent.capture.luma import Shrinker
from agent.capture.pyav_input import Shape, Unit
from agent.capture.pyav_planes import plane_view
from agent.capture.source import CameraSettings, Luma, Packet, StreamInfo
from agent.capture.x264 import Encoder
from agent.capture.zones import Zones
from agent.core.errors import RefusedError, TroubleError

_PLANAR = ("yuv420p", "yuvj420p")
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


class Stage(Protocol):
    """What a source does with each picture."""

    @property
    def info(self) -> StreamInfo:
        """What comes out."""
        ...

    def work(self, unit: Unit, capture_ns: int) -> tuple[Luma, tuple[Packet, ...]]:
        """Return the picture's luma (valid until the next call) and its packets.

        Raises:
            TroubleError: "camera-changed", "camera-failed" or "zones".
        """
        ...


def make_stage(shape: Shape, first: Unit, settings: CameraSettings) -> Stage:
    """Return the stage that fits a stream.

    Args:
        shape: of the stream.
        first: its first picture, which the stage has still to work on.
        settings: `[camera]`.

    Raises:
        TroubleError: "zones" or "camera-failed".
    """
    if shape.passable and first.packet is not None and not first.frame.rotation and not settings.privacy_zones:
        parameters = _parameters(shape, first)
        if parameters is not None:
            return Passing(shape, parameters, settings)
    return Encoding(shape, settings, first.frame.rotation)


def _parameters(shape: Shape, first: Unit) -> h264.Parameters | None:
    try:
        return h264.parse_extradata(shape.extradata)
    except RefusedError:
        pass  # some streams carry them only beside their key frames
    sets, _ = h264.split_head(memoryview(bytes(first.packet))) if first.packet is not None else (b"", 0)
    return h264.Parameters(sets, 0) if sets else None


class Passing:
    """Packets as they came, pictures only for motion."""

    def __init__(self, shape: Shape, parameters: h264.Parameters, settings: CameraSettings) -> None:
        self._parameters = parameters
        self._shrinker = Shrinker(shape.width, shape.height, settings.motion_size)
        self._has_key = False
        self.info = StreamInfo(
            codec=h264.codec_name(parameters.sets),
            width=shape.width,
            height=shape.height,
            extradata=parameters.sets,
            fps=shape.fps,
            masked=0,
            motion_size=settings.motion_size,
        )

    def work(self, unit: Unit, capture_ns: int) -> tuple[Luma, tuple[Packet, ...]]:
        """See `Stage`."""
        luma = self._shrinker.shrink(plane_view(unit.frame, 0))
        if unit.packet is None:
            text = "the camera began to reorder its frames; it is opened again"
            raise TroubleError("camera-changed", text)
        self._has_key = self._has_key or unit.packet.is_keyframe
        if not self._has_key:
            return luma, ()
        return luma, (Packet(self._annexb(unit), capture_ns, unit.packet.is_keyframe),)

    def _annexb(self, unit: Unit) -> memoryview:
        try:
            if self._parameters.length_bytes:
                whole = h264.avcc_to_annexb(bytearray(unit.packet or b""), self._parameters.length_bytes)
            else:
                whole = memoryview(unit.packet or b"")
        except RefusedError as exc:
            raise TroubleError("camera-failed", "the stream is damaged; it is opened again") from exc
        sets, rest = h264.split_head(whole)
        if sets and sets != self._parameters.sets:
            raise TroubleError("camera-changed", "the camera changed its picture; it is opened again")
        return whole[rest:]


class Encoding:
    """Pictures drawn on the encoder's canvas, zones burnt in, then encoded.

    Args:
        shape: of the stream.
        settings: `[camera]`.
        rotation: degrees counterclockwise by which the pictures must be turned, as phones note beside a video.
    """

    def __init__(self, shape: Shape, settings: CameraSettings, rotation: int = 0) -> None:
        width, height = shape.width & ~1, shape.height & ~1  # 4:2:0 has no odd sizes; one line is cut off
        self._quarters = round(rotation / 90) % 4
        if self._quarters % 2:
            width, height = height, width
        if not width or not height:
            raise TroubleError("camera-failed", "the picture is too small; choose another [camera] source")
        self._zones = Zones(settings.privacy_zones, width, height)
        self._encoder = Encoder(width, height, fps=shape.fps, bitrate=settings.bitrate, colour=shape.colour)
        self._full_range = shape.colour.get("color_range") == _FULL_RANGE
        self._shrinker = Shrinker(width, height, settings.motion_size)
        self.info = StreamInfo(
            codec=h264.codec_name(self._encoder.extradata),
            width=width,
            height=height,
            extradata=self._encoder.extradata,
            fps=shape.fps,
            masked=self._zones.count,
            motion_size=settings.motion_size,
        )

    def work(self, unit: Unit, capture_ns: int) -> tuple[Luma, tuple[Packet, ...]]:
        """See `Stage`."""
        canvas = self._encoder.canvas
        planes = (canvas.luma, canvas.blue, canvas.red)
        frame = self._planar(unit.frame)
        for index, plane in enumerate(planes):
            upright = np.rot90(plane_view(frame, index), self._quarters)
            np.copyto(plane, upright[: plane.shape[0], : plane.shape[1]])
        self._zones.burn_yuv420(*planes)
        packet = self._encoder.encode(capture_ns)
        return self._shrinker.shrink(canvas.luma), (packet,)

    def _planar(self, frame: VideoFrame) -> VideoFrame:
        if frame.format.name in _PLANAR:
            return frame
        return frame.reformat(format="yuvj420p" if self._full_range else "yuv420p")
