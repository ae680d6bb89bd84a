"""`picamera`: the Raspberry Pi's camera through picamera2.

Its event loop, a thread of picamera2's, calls `_before_encoding` for each frame (zones are burnt into both
streams through MappedArray, then the frame goes to the mailbox) and, from the encoder, `_encoded` for each
packet. The reader maps the lores stream without a copy and gives the request back with the next `read`.

An exception in that thread stops frames for good, without a word; that is noticed by missing frames. A zone that
could not be burnt stops the frame on its way to the encoder in the same way, and says "zones".
"""

import gc
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from agent.capture import h264
from agent.capture.mailbox import Letter, Mailbox
from agent.capture.picamera_stack import Stack, load_stack, read_stream
from agent.capture.source import CameraSettings, FrameCount, Luma, Moment, Packet, StreamInfo
from agent.capture.zones import Mask, Zones
from agent.core.clock import Clock
from agent.core.errors import RefusedError, TroubleError

_NS = 1_000_000_000
OPEN_S = 10.0
_OTHER_CLOCK_NS = 10 * _NS  # a stamp this far from now is not of CLOCK_BOOTTIME
_LATE_FRACTION = 1.5  # of a frame's time: longer, and the camera has lost frames


class PicameraSource:
    """The Pi's camera (see `agent.capture.source.Source`).

    Args:
        settings: `[camera]`.
        clock: boot time, which picamera2's SensorTimestamp is of.
        stack: gives picamera2; tests hand in another.
    """

    def __init__(self, settings: CameraSettings, clock: Clock, stack: Callable[[], Stack] = load_stack) -> None:
        self._settings, self._clock, self._load = settings, clock, stack
        self.count = FrameCount()
        self._run: _Run | None = None

    def open(self) -> StreamInfo:
        """See `Source.open`."""
        self.close()
        self._run = _Run(self._load(), self._settings, self._clock)
        try:
            return self._run.start()
        except TroubleError:
            self.close()
            raise

    def read(self, timeout_s: float) -> Moment:
        """See `Source.read`."""
        if self._run is None:
            raise TroubleError("camera-failed", "the camera is not open")
        letter, luma = self._run.take(timeout_s)
        self.count.taken += letter.frames + letter.dropped
        self.count.given += letter.frames
        self.count.dropped += letter.dropped
        return Moment(letter.capture_ns, luma, letter.packets, letter.dropped)

    def close(self) -> None:
        """See `Source.close`."""
        run, self._run = self._run, None
        if run is not None:
            run.stop()
            del run
            gc.collect()  # picamera2's objects form cycles, which hold descriptors and maps


@dataclass(slots=True)
class _Zones:
    """What is burnt into a request: the main stream's planes and the lores stream's luma."""

    main: Zones
    lores: Mask


class _Run:
    """One opening of the camera."""

    def __init__(self, stack: Stack, settings: CameraSettings, clock: Clock) -> None:
        self._stack, self._settings, self._clock = stack, settings, clock
        self._mailbox: Mailbox[Any] = Mailbox(lambda request: request.release())
        self._held = ExitStack()
        self._sets = b""
        self._has_sets = threading.Event()
        self._shift_ns: int | None = None
        self._last_ns = 0
        self._frame_ns = round(_NS / settings.fps)
        self._camera: Any = None
        self._encoder: Any = None

    def start(self) -> StreamInfo:
        """Open, configure and start; return what comes.

        Raises:
            TroubleError: see `Source.open`.
        """
        settings = self._settings
        self._camera = camera = self._stack.open_camera()
        with self._stack.trouble("the camera can't be configured; check [camera] size and motion_size"):
            camera.configure(
                camera.create_video_configuration(
                    main={"size": tuple(settings.size), "format": "YUV420"},
                    lores={"size": tuple(settings.motion_size), "format": "YUV420"},
                    controls={"FrameRate": float(settings.fps)},
                    display=None,
                )
            )
            configured = camera.camera_configuration()
        self._main, self._lores = read_stream(configured["main"]), read_stream(configured["lores"])
        self._zones = _Zones(
            Zones(settings.privacy_zones, self._main.width, self._main.height),
            Zones(settings.privacy_zones, self._lores.width, self._lores.height).luma,
        )
        camera.pre_callback = self._before_encoding
        with self._stack.trouble("the camera does not start; check its cable and that nothing else uses it"):
            self._encoder = self._stack.make_encoder(settings, self._encoded)
            camera.start_encoder(self._encoder, self._encoder.output)
            camera.start()
        if not self._has_sets.wait(OPEN_S):
            text = "the camera started but gives no picture; check its cable"
            raise TroubleError("camera-missing", text)
        return self._info()

    def _info(self) -> StreamInfo:
        try:
            codec = h264.codec_name(self._sets)
        except RefusedError as exc:
            raise TroubleError("camera-failed", "the camera's encoder gives no H.264") from exc
        return StreamInfo(
            codec=codec,
            width=self._main.width,
            height=self._main.height,
            extradata=self._sets,
            fps=float(self._settings.fps),
            masked=self._zones.main.count,
            motion_size=(self._lores.width, self._lores.height),
        )

    def take(self, timeout_s: float) -> tuple[Letter[Any], Luma]:
        """Return the next frame and its luma, which stays mapped until the next call.

        Raises:
            TroubleError: see `Source.read`.
        """
        self._held.close()
        letter = self._mailbox.take(timeout_s)
        if letter is None:
            raise TroubleError("camera-frozen", "no picture from the camera; check its cable")
        self._held.callback(letter.frame.release)
        mapped = self._held.enter_context(self._stack.map(letter.frame, "lores"))
        return letter, self._lores.luma(mapped.array)

    def stop(self) -> None:
        """Give everything back, whatever state the camera's thread is in."""
        self._held.close()
        self._mailbox.close()
        if self._camera is not None:
            self._stack.close_camera(self._camera)
        self._camera = self._encoder = None

    def _before_encoding(self, request: Any) -> None:  # noqa: ANN401 - picamera2 has no types
        """Camera's thread: burn the zones in, then hand the frame over. What is raised here ends the thread."""
        if self._zones.main.count:
            with _OrFail(self._mailbox):
                self._burn(request)
        stamp_ns = self._stack.stamp_ns(request)
        if self._shift_ns is None:
            now_ns = self._clock.boot_ns()
            self._shift_ns = 0 if abs(now_ns - stamp_ns) < _OTHER_CLOCK_NS else now_ns - stamp_ns
        capture_ns = self._place(stamp_ns)
        lost = 0
        if self._last_ns and capture_ns - self._last_ns > _LATE_FRACTION * self._frame_ns:
            lost = round((capture_ns - self._last_ns) / self._frame_ns) - 1
        self._last_ns = capture_ns
        request.acquire()
        self._mailbox.put_frame(request, capture_ns, dropped=lost)

    def _burn(self, request: Any) -> None:  # noqa: ANN401 - picamera2 has no types
        with self._stack.map(request, "main") as mapped:
            self._main.burn(mapped.array, self._zones.main)
        with self._stack.map(request, "lores") as mapped:
            self._zones.lores.burn(self._lores.luma(mapped.array), 0)

    def _place(self, stamp_ns: int) -> int:
        # Encoders keep microseconds; frame and packet must carry the same stamp.
        return stamp_ns // 1000 * 1000 + (self._shift_ns or 0)

    def _encoded(self, data: bytes, first_us: int, since_us: int, *, is_keyframe: bool) -> None:
        """Camera's or encoder's thread: hand a packet over."""
        unit = memoryview(data)
        sets, rest = h264.split_head(unit)
        if sets and not self._sets:
            self._sets = sets
        elif sets and sets != self._sets:
            text = "the camera's encoder changed its picture; the camera is started again"
            self._mailbox.fail(TroubleError("camera-changed", text))
        if rest < len(unit):
            self._mailbox.put_packet(Packet(unit[rest:], self._place((first_us + since_us) * 1000), is_keyframe))
            if self._sets:
                self._has_sets.set()


class _OrFail:
    """Whatever ends the block early makes the reader raise "zones"; the exception goes on."""

    def __init__(self, mailbox: Mailbox[Any]) -> None:
        self._mailbox = mailbox

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            text = "a privacy zone could not be drawn, so nothing is recorded; the camera is started again"
            self._mailbox.fail(TroubleError("zones", text))
