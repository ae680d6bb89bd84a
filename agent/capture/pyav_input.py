"""Anything that FFmpeg opens, as a row of encoded and decoded frames, through PyAV.

Knows nothing of time, zones or encoders. Every error of FFmpeg becomes `TroubleError` here.
"""

import errno
import itertools
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from agent.core.errors import TroubleError

if TYPE_CHECKING:  # generic in PyAV's type stubs only
    AvPacket = Packet[VideoStream]
else:
    AvPacket = Packet

_NS = 1_000_000_000
_DEFAULT_FPS = 25.0
_MOST_FPS = 240.0
_MOST_KEY_GAP_S = 20.0  # a recorder keeps whole groups; one must not outgrow what it keeps
_MOST_BAD_FRAMES = 250  # in a row; a stream that gives no picture for that long is broken, not noisy


# What a device answers, by errno, as a line for a person.
_ANSWERS = {
    errno.EBUSY: "is in use by another program; stop that one",
    errno.ENOTTY: "is not a camera; check [camera] source",
    errno.ENODEV: "is not a camera; check [camera] source",
}


@dataclass(frozen=True, slots=True)
class Address:
    """What to open and how.

    Attributes:
        url: a path or URL as FFmpeg takes it.
        shown: how it is named to people; never a password.
        format: FFmpeg's demuxer, where it must not guess.
        is_device: it hangs on a cable of this machine.
        options: the demuxer's.
        open_s, read_s: how long FFmpeg may block; None where nothing can block, or where it heeds no limit.
    """

    url: str = field(repr=False)
    shown: str
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    open_s: float | None = None
    read_s: float | None = None
    is_device: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What the stream says of itself.

    Attributes:
        width, height: pixels, as shown.
        fps: average, between 0 and 240.
        passable: H.264 without B-frames, in a form that needs no encoder.
        extradata: H.264's, Annex B or AVCC; empty for other codecs.
        colour: `color_range` and its three relatives, as numbers, for an encoder.
    """

    width: int
    height: int
    fps: float
    passable: bool
    extradata: bytes = field(repr=False)
    colour: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Unit:
    """One picture.

    Attributes:
        stamp_ns: the stream's own time.
        packet: what it was decoded from; None where decoding changed the order.
        frame: the picture.
        broken: packets before it that gave no picture.
    """

    stamp_ns: int
    packet: AvPacket | None
    frame: VideoFrame
    broken: int = 0


class Input:
    """One opened stream.

    Raises:
        TroubleError: "camera-missing" when there is nothing at the address, "camera-unreadable" when FFmpeg
            can't read it or finds no video in it.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._ready: deque[Unit] = deque()
        self._broken = 0
        self._next_ns = 0
        self._over = False
        self._container = _open(address)
        with ExitStack() as undo:
            undo.callback(self._container.close)
            self._stream = _video_stream(self._container, address)
            self.shape = _shape(self._stream)
            undo.pop_all()
        self._packets = self._container.demux(self._stream)
        self._frame_ns = round(_NS / self.shape.fps)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the stream back; again is nothing."""
        self._ready.clear()
        self._over = True
        self._container.close()

    @property
    def frame_ns(self) -> int:
        """The nominal time from one frame to the next."""
        return self._frame_ns

    def next(self) -> Unit | None:
        """Return the next picture, None at the end.

        Raises:
            TroubleError: "camera-frozen" when nothing came within `read_s`, "camera-changed" when the picture has
                another size, "camera-failed" or "camera-unreadable" when the stream broke.
        """
        while not self._ready:
            if self._over:
                return None
            self._step()
        return self._ready.popleft()

    def _step(self) -> None:
        packet = self._demux()
        if packet is None:
            self._over = True
        if packet is not None and packet.is_corrupt:
            self._broken += 1
            return
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            frames = []
        except (av.error.InvalidDataError, av.error.ArgumentError):
            frames = []
        except av.error.FFmpegError as exc:
            raise self._failed() from exc
        if packet is not None and not frames and (self.shape.passable or self._broken):
            self._broken += 1
        if self._broken > _MOST_BAD_FRAMES:
            raise self._failed()
        for frame in frames:
            self._ready.append(self._unit(packet if len(frames) == 1 else None, frame))

    def _unit(self, packet: AvPacket | None, frame: VideoFrame) -> Unit:
        if (frame.width, frame.height) != (self.shape.width, self.shape.height):
            text = f"the picture of {self._address.shown} changed its size; it is opened again"
            raise TroubleError("camera-changed", text)
        stamp_ns = self._next_ns
        if frame.pts is not None and frame.time_base:
            stamp_ns = int(frame.pts * frame.time_base * _NS)
        self._next_ns = stamp_ns + self._frame_ns
        broken, self._broken = self._broken, 0
        return Unit(stamp_ns, packet, frame, broken)

    def _demux(self) -> AvPacket | None:
        """Return the next packet that holds something, None at the end."""
        empty = 0
        try:
            for packet in self._packets:
                if packet.size:
                    self._broken += empty
                    return packet
                empty += 1  # at the end too; within a stream it is a picture that the device spoilt
        except av.error.EOFError:
            return None
        except (av.error.ExitError, av.error.TimeoutError) as exc:
            text = f"no picture from {self._address.shown}; check the camera and its cable or network"
            raise TroubleError("camera-frozen", text) from exc
        except (av.error.FFmpegError, OSError) as exc:
            raise self._failed() from exc
        return None

    def _failed(self) -> TroubleError:
        text = f"the stream of {self._address.shown} broke off; it is opened again"
        return TroubleError("camera-failed", text)


def _open(address: Address) -> InputContainer:
    timeout = None if address.open_s is None else (address.open_s, address.read_s)
    # Not `options`: they would reach the decoder too, where `video_size` overrules what the device really gives.
    asked = dict(address.options)
    try:
        return av.open(address.url, format=address.format, container_options=asked, timeout=timeout)
    except FileNotFoundError as exc:
        check = "its cable and [camera] source" if address.is_device else "[camera] source"
        text = f"there is no {address.shown}; check {check}"
        raise TroubleError("camera-missing", text) from exc
    except PermissionError as exc:
        text = f"{address.shown} may not be read; check its permissions and group"
        raise TroubleError("camera-unreadable", text) from exc
    except (av.error.ConnectionRefusedError, av.error.ExitError, av.error.TimeoutError) as exc:
        text = f"{address.shown} does not answer; check that the camera is on and its address right"
        raise TroubleError("camera-missing", text) from exc
    except (av.error.HTTPError, av.error.HTTPClientError) as exc:
        text = f"{address.shown} refuses; check the path, user name and password in [camera] source"
        raise TroubleError("camera-unreadable", text) from exc
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        raise TroubleError("camera-unreadable", f"{address.shown} {_refusal(address, exc)}") from exc


def _refusal(address: Address, exc: Exception) -> str:
    number = exc.errno if isinstance(exc, OSError | av.error.FFmpegError) else None
    answer = _ANSWERS.get(number or 0, "is not a video that can be read; check [camera] source")
    asked = address.options.get("input_format")
    if number == errno.EINVAL and asked:
        answer = f"gives no {asked}; choose another input_format in [camera] source"
    return answer


def _video_stream(container: InputContainer, address: Address) -> VideoStream:
    for stream in container.streams.video:
        if stream.codec_context.width > 0:
            stream.thread_type = "NONE"  # threads would hold frames back
            return stream
    raise TroubleError("camera-unreadable", f"there is no video in {address.shown}; check [camera] source")


def _shape(stream: VideoStream) -> Shape:
    context = stream.codec_context
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    is_h264 = context.name == "h264"
    colour = {
        name: int(getattr(context, name) or 0)
        for name in ("color_range", "colorspace", "color_primaries", "color_trc")
    }
    return Shape(
        width=context.width,
        height=context.height,
        fps=fps if 0 < fps <= _MOST_FPS else _DEFAULT_FPS,
        passable=is_h264
        and not context.has_b_frames
        and context.pix_fmt in ("yuv420p", "yuvj420p")
        and _longest_key_gap_s(stream) <= _MOST_KEY_GAP_S,
        extradata=bytes(context.extradata or b"") if is_h264 else b"",
        colour={name: value for name, value in colour.items() if value > 0},
    )


def _longest_key_gap_s(stream: VideoStream) -> float:
    """Return the longest time without a key frame, as far as the file's index says; 0 for a live stream."""
    stamps = [entry.timestamp for entry in stream.index_entries if entry.is_keyframe]
    if len(stream.index_entries) and stream.time_base:
        stamps.append(stream.index_entries[len(stream.index_entries) - 1].timestamp)
        longest = max((after - before for before, after in itertools.pairwise(stamps)), default=0)
        return float(longest * stream.time_base)
    return 0.0
