"""`doorbell recorder`: the composition root of the process that has the camera.

It works alone: the vault may be away, the disk full, the camera gone; each is a fault that is told, and waited
for. Three threads: this one reads the camera and decides, one writes segments, one talks to the vault.

Order of start: recipients, writer, link, camera; it stops in the reverse order, and what was recorded is sealed
before the end. Exit code 0 when it was told to stop, 1 when the writer died of a bug.
"""

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from agent.buffer.names import SEGMENT
from agent.buffer.ring import CheckedRing, Ring
from agent.buffer.segment import Cutter
from agent.capture.motion import MotionKernel, MotionSettings
from agent.capture.open_source import open_source
from agent.capture.resilient import Resilient
from agent.capture.trigger import Trigger, TriggerSettings
from agent.config import Config
from agent.core.clock import Clock
from agent.core.ids import Id, is_id
from agent.core.strict_json import Json
from agent.services.recipients_file import RecipientsFile
from agent.services.recorder_link import VaultLink
from agent.services.recorder_loop import RecorderLoop
from agent.services.sd_notify import notify
from agent.services.segment_writer import SegmentWriter
from agent.services.system_clock import SystemClock

log = logging.getLogger(__name__)

_NS: Final = 1_000_000_000
READ_TIMEOUT_S: Final = 1.0
HOUSEKEEPING_NS: Final = _NS  # recipients, watchdog, frame rate: once a second
CLOSE_TIMEOUT_S: Final = 10.0
RECENT_SEGMENTS: Final = 64  # told again at the start: the last run may have died before it could
MAX_FPS: Final = 120
RING_SLACK_S: Final = 4.0  # a GOP at each end of the pre-roll
QUEUE_S: Final = 60.0
MIN_RING_BYTES: Final = 4_000_000
MIN_BUDGET_BYTES: Final = 32_000_000
_RING: Final = CheckedRing if sys.flags.dev_mode else Ring  # python -X dev: every invariant, after every push


class Recorder:
    """The wired recorder.

    Args:
        config: the whole configuration; each part below gets only its own.
        clock: the device's.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        clips, camera = config.clips, config.camera
        state = config.device.state_dir
        bytes_a_second = 2 * camera.bitrate // 8  # an encoder may take twice its average for a while
        self._clock = clock
        self._stop = threading.Event()
        self._press = threading.Event()
        self._segments = state / "segments"
        self._recipients = RecipientsFile(state / "recipients.json")
        self._camera = Resilient(open_source(camera, clock), clock, sleep=self._sleep)
        self._link = VaultLink(config.device.run_dir / "recorder.sock", clock, self.status, self._press.set)
        self._writer = SegmentWriter(self._segments, self._recipients, clock, self._link.sealed)
        motion = MotionSettings(
            sensitivity=config.motion.sensitivity,
            zones=config.motion.zones,
            minimum_area=config.motion.minimum_area or MotionSettings().minimum_area,
        )
        trigger = TriggerSettings(
            pre_roll_s=clips.pre_roll_s, post_roll_s=clips.post_roll_s, max_clip_s=clips.max_clip_s
        )
        self._loop = RecorderLoop(
            make_kernel=lambda size: MotionKernel(size, motion),
            trigger=Trigger(trigger),
            ring=_RING(
                capacity_bytes=max(MIN_RING_BYTES, round(bytes_a_second * (clips.pre_roll_s + RING_SLACK_S))),
                max_packets=round((clips.pre_roll_s + 2 * RING_SLACK_S) * MAX_FPS),
            ),
            cutter=Cutter(segment_ns=round(clips.segment_s * _NS), frame_ns=_NS // camera.fps),
            writer=self._writer,
            budget_bytes=max(MIN_BUDGET_BYTES, round(bytes_a_second * QUEUE_S)),
            may_record=self._may_record,
            pre_roll_ns=round(clips.pre_roll_s * _NS),
        )
        self._generation = 0
        self._due_ns = 0
        self._fps_milli = 0
        self._given = 0
        self._told = ""

    def run(self) -> int:
        """Record until `stop`; returns the exit code."""
        self._recipients.poll()
        self._writer.start()
        self._link.start(recent_segments(self._segments))
        notify("READY=1")
        try:
            while not self._stop.is_set() and self._writer.is_alive:
                self._turn()
        finally:
            notify("STOPPING=1")
            self._camera.close()
            self._loop.end()
            finished = self._writer.close(CLOSE_TIMEOUT_S)
            self._link.close(CLOSE_TIMEOUT_S)
        if not self._stop.is_set():
            log.error("recorder: the writer has died")
        return 0 if self._stop.is_set() and finished else 1

    def stop(self) -> None:
        """Ask `run` to finish. Safe in a signal handler."""
        self._stop.set()

    def _turn(self) -> None:
        """Wait for one frame and pass it on; look after the house once a second."""
        moment = self._camera.read(READ_TIMEOUT_S)
        info = self._camera.info
        if info is None or self._camera.generation != self._generation:
            self._loop.end()
        if info is not None and self._camera.generation != self._generation:
            self._generation = self._camera.generation
            self._loop.begin(info)
        if moment is not None:
            self._loop.step(moment, press=_take(self._press))
        now_ns = self._clock.boot_ns()
        if now_ns >= self._due_ns:
            self._housekeeping(now_ns, is_fed=moment is not None or self._camera.fault is not None)

    def _housekeeping(self, now_ns: int, *, is_fed: bool) -> None:
        given = self._camera.count.given
        elapsed_ns = now_ns - self._due_ns + HOUSEKEEPING_NS
        self._fps_milli = (given - self._given) * 1000 * _NS // elapsed_ns if self._due_ns else 0
        self._given = given
        self._due_ns = now_ns + HOUSEKEEPING_NS
        self._recipients.poll()
        self._tell_camera()
        if is_fed:
            notify("WATCHDOG=1")

    def _tell_camera(self) -> None:
        """Log what is wrong with the camera and what to do, once; `status` has room for its code only."""
        fault = self._camera.fault
        text = "" if fault is None else f"{fault.code}: {fault}"
        if text != self._told:
            self._told = text
            log.warning("recorder: %s", text or "the camera is well again")

    def status(self) -> dict[str, Json]:
        """Return the arguments of the `status` verb. Called from the link's thread; every read is of one value."""
        faults = self.faults()
        motion = self._loop.motion
        return {
            "recording": not faults,
            "faults": list(faults),
            "dropped": self._camera.count.dropped + self._loop.dropped_frames + self._writer.dropped_frames,
            "fps_milli": self._fps_milli,
            "motion": {
                "clip": self._loop.is_recording,
                "motion": motion is not None and motion.motion,
                "score_milli": 0 if motion is None else round(motion.score * 1000),
                "why": "" if motion is None else str(motion.why),
                "pre_roll_short_ms": self._loop.pre_roll_short_ms,
            },
        }

    def faults(self) -> list[str]:
        """Return the codes of what keeps the recorder from recording now."""
        camera = self._camera.fault
        codes = [] if camera is None else [camera.code]
        if not self._may_record():
            codes.append("no-recipient")
        if self._writer.fault is not None:
            codes.append(self._writer.fault)
        if self._loop.is_overfull:
            codes.append("recorder-overfull")
        return codes

    def _may_record(self) -> bool:
        current = self._recipients.current
        return current is not None and current.is_enough

    def _sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)


def _take(event: threading.Event) -> bool:
    if not event.is_set():
        return False
    event.clear()
    return True


def recent_segments(folder: Path) -> list[Id]:
    """Return the ids of the segments that were written last, oldest first."""
    try:
        found = [(one.stat().st_mtime_ns, one.stem) for one in folder.glob(f"*{SEGMENT}") if is_id(one.stem)]
    except OSError:
        return []
    return [Id(stem) for _, stem in sorted(found)[-RECENT_SEGMENTS:]]


def main(config: Config) -> int:
    """Run the recorder until SIGTERM or SIGINT; returns the exit code."""
    recorder = Recorder(config, SystemClock(config.device.clock))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: recorder.stop())
    return recorder.run()
