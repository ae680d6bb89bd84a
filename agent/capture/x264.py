"""libx264 through PyAV: pictures to packets, one in, one out.

Settings and why: no B-frames and no look-ahead (a packet must leave with its frame, in order); a key frame by
time, not by count, so that a camera that drops frames still gives one every two seconds; no scene-cut key
frames, which a flickering lamp would cause; one thread, because the other core has the rest of the house.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from agent.capture import h264
from agent.capture.pyav_planes import plane_view
from agent.capture.source import KEY_FRAME_INTERVAL_S, Luma, Packet
from agent.core.errors import TroubleError

_NS = 1_000_000_000
_TIME_BASE = Fraction(1, 90_000)
_NO_COLOUR: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Canvas:
    """The picture that is encoded next, I420: views into the encoder's own frame.

    Attributes:
        luma: uint8[height, width].
        blue, red: uint8[height // 2, width // 2].
    """

    luma: Luma
    blue: Luma
    red: Luma


class Encoder:
    """Encodes what its `canvas` holds.

    Args:
        width, height: pixels, even.
        fps: nominal rate, for the bit-rate control.
        bitrate: bits a second, average; peaks are held to twice that over a second.
        colour: `color_range`, `colorspace`, `color_primaries`, `color_trc` of the source, where it says.

    Raises:
        TroubleError: "camera-failed" when libx264 takes no such picture.
    """

    def __init__(
        self, width: int, height: int, *, fps: float, bitrate: int, colour: Mapping[str, int] = _NO_COLOUR
    ) -> None:
        self._origin_ns: int | None = None
        self._key_ns = 0
        self._frame_ns = round(_NS / fps)
        try:
            self._frame = VideoFrame(width, height, "yuv420p")
            self._context = _context(width, height, fps, bitrate)
            for name, value in colour.items():
                setattr(self._context, name, value)
            self._context.open()
        except (av.error.FFmpegError, ValueError) as exc:
            text = f"the encoder refuses a picture of {width}x{height}; choose another [camera] size"
            raise TroubleError("camera-failed", text) from exc
        self._frame.time_base = _TIME_BASE
        self.canvas = Canvas(*(plane_view(self._frame, index) for index in range(3)))
        self.extradata = h264.parse_extradata(self._context.extradata or b"").sets

    def encode(self, capture_ns: int) -> Packet:
        """Return the canvas as one packet.

        Args:
            capture_ns: boot time of the frame; must rise from call to call.

        Raises:
            TroubleError: "camera-failed" when the encoder gives up.
        """
        if self._origin_ns is None:
            self._origin_ns = self._key_ns = capture_ns
        due = capture_ns - self._key_ns >= KEY_FRAME_INTERVAL_S * _NS - self._frame_ns // 2
        is_key = due or capture_ns == self._origin_ns
        if is_key:
            self._key_ns = capture_ns
        self._frame.pict_type = PictureType.I if is_key else PictureType.NONE
        self._frame.pts = (capture_ns - self._origin_ns) * 9 // 100_000
        try:
            packets = self._context.encode(self._frame)
        except av.error.FFmpegError as exc:
            raise TroubleError("camera-failed", "the encoder stopped; the camera is started again") from exc
        if len(packets) != 1:
            raise TroubleError("camera-failed", "the encoder lost a frame; the camera is started again")
        unit = memoryview(packets[0])
        _, rest = h264.split_head(unit)
        return Packet(unit[rest:], capture_ns, packets[0].is_keyframe)


def _context(width: int, height: int, fps: float, bitrate: int) -> VideoCodecContext:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, VideoCodecContext)  # noqa: S101 - narrows PyAV's union for the type checker
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = _TIME_BASE
    context.framerate = Fraction(fps).limit_denominator(1001)
    context.bit_rate = bitrate
    context.max_b_frames = 0
    context.gop_size = max(2, round(fps * KEY_FRAME_INTERVAL_S * 10))
    context.thread_count = 1
    context.flags |= av.codec.context.Flags.global_header  # parameter sets once, in extradata
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "forced-idr": "1",
        "sc_threshold": "0",
        "maxrate": str(2 * bitrate),
        "bufsize": str(2 * bitrate),
        "x264-params": "sliced-threads=0",
    }
    return context
