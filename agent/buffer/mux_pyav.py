"""Packets in RAM to one segment's MP4, by PyAV, exactly as protocol section 9 wants it. In RAM only.

What makes ffmpeg's muxer write that form, and nothing to mend afterwards:

- `empty_moov`, `default_base_moof`, `frag_custom`: `ftyp moov`, then one `moof mdat` when the file is closed;
- `frag_discont` with `avoid_negative_ts=disabled`: tfdt is the time that was given. Without them each segment
  starts at 0, and a player of the joined clip drops what overlaps;
- `skip_trailer`: no mfra. `use_editlist=0`, `+bitexact`: nothing in the init depends on the first time or on
  the library's version;
- the last packet's own `duration` reaches to the next segment's first frame.

The stream is made from a template without a codec: `add_stream` would start an encoder only to describe one.
"""

import io
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final, cast

import av

from agent.buffer.packet import Encoded
from agent.core.errors import BugError, RefusedError
from agent.core.segment_file import split_init

TIMESCALE: Final = 90_000  # section 9
_NS: Final = 1_000_000_000
_TIME_BASE: Final = Fraction(1, TIMESCALE)
_OPTIONS: Final = {
    "movflags": "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer",
    "avoid_negative_ts": "disabled",
    "use_editlist": "0",
    "video_track_timescale": str(TIMESCALE),
    "fflags": "+bitexact",
}
_BUFFER_BYTES: Final = 1 << 20  # few calls from ffmpeg into Python


def ticks(duration_ns: int) -> int:
    """Return boot time since the clip's first frame in 1/90000 s, rounded down: it rises where time does."""
    return duration_ns * TIMESCALE // _NS


class Muxer:
    """Muxes the segments of clips that come from one stream; all of them get the same init.

    Args:
        extradata: SPS and PPS in Annex B.
        keyframe: one key frame of the stream, Annex B, for what the SPS alone does not say.

    Raises:
        RefusedError: "h264" when ffmpeg finds no picture size in them.
    """

    def __init__(self, extradata: bytes, keyframe: bytes | memoryview) -> None:
        # A four-byte start code after the PPS would leave its first zero in the PPS.
        head = extradata + b"\0\0" + bytes(keyframe).lstrip(b"\0")
        try:
            self._source = av.open(io.BytesIO(head), "r", format="h264")
            self._template = self._source.streams.video[0]
        except (av.error.FFmpegError, IndexError) as exc:
            raise RefusedError("h264", "the camera's stream can't be read: no SPS, PPS or picture") from exc
        if not self._template.codec_context.width:
            self.close()
            raise RefusedError("h264", "the camera's stream has no picture size")
        self._init: bytes | None = None

    def close(self) -> None:
        """Give the template back. Closing again is nothing."""
        self._source.close()

    def mux(self, packets: Sequence[Encoded], *, clip_ns: int, end_ns: int) -> bytes:
        """Return the MP4 of one segment.

        Args:
            packets: the segment's frames in order, the first a key frame, times rising.
            clip_ns: boot time of the clip's first frame.
            end_ns: boot time at which the last frame ends: the next segment's first frame.

        Raises:
            RefusedError: "h264" when ffmpeg does not take them.
            BugError: no packets, times that don't rise, or an init unlike the last one's.
        """
        times_ns = [*(one.capture_ns for one in packets), end_ns]
        if not packets or times_ns[0] < clip_ns or any(b <= a for a, b in pairwise(times_ns)):
            raise BugError("a segment's frames must rise in time")
        starts = [ticks(times_ns[0] - clip_ns)]
        for time_ns in times_ns[1:]:  # two frames within 11 us still get two times
            starts.append(max(ticks(time_ns - clip_ns), starts[-1] + 1))
        out = io.BytesIO()
        try:
            self._write(out, packets, starts)
        except av.error.FFmpegError as exc:
            raise RefusedError("h264", f"a segment's frames can't be muxed: {exc.strerror}") from exc
        mp4 = out.getvalue()
        self._check_init(mp4)
        return mp4

    def _write(self, out: io.BytesIO, packets: Sequence[Encoded], starts: Sequence[int]) -> None:
        with av.open(out, "w", format="mp4", options=_OPTIONS, buffer_size=_BUFFER_BYTES) as container:
            stream = container.add_stream_from_template(self._template, opaque=True)
            stream.time_base = _TIME_BASE
            for one, (start, end) in zip(packets, pairwise(starts), strict=True):
                packet = av.Packet(cast("bytes", one.data))  # it takes any buffer and copies it
                packet.stream = stream
                packet.time_base = _TIME_BASE
                packet.pts = packet.dts = start
                packet.duration = end - start
                packet.is_keyframe = one.is_keyframe
                container.mux_one(packet)

    def _check_init(self, mp4: bytes) -> None:
        if self._init is None:
            self._init = split_init(mp4)
        elif not mp4.startswith(self._init):
            raise BugError("two segments of one stream got different inits")
