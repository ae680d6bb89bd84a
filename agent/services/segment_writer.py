"""The recorder's one worker: mux, seal, write. The hot loop hands segments over and never waits.

What waits here is bounded by bytes; the hot loop asks `backlog_bytes` before it takes more, and counts what it
has to drop. A full or broken disk is told, the segment that did not fit is kept and tried again.
"""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.buffer.mux_pyav import Muxer
from agent.buffer.sealing import draft_segment
from agent.buffer.segment import Segment
from agent.buffer.segment_files import SegmentFolder
from agent.capture.source import StreamInfo
from agent.core.clock import Clock
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, new_id
from agent.core.jitter import full_jitter_s
from agent.core.segment_file import Sealer, SegmentClock, SegmentMeta
from agent.services.recipients_file import RecipientsFile

log = logging.getLogger(__name__)

RETRY_LOW_S: Final = 1.0
RETRY_HIGH_S: Final = 30.0
_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Job:
    """A segment on its way to the disk, and the stream that it comes from."""

    segment: Segment
    info: StreamInfo
    bytes: int


@dataclass(frozen=True, slots=True)
class _Clip:
    """What all segments of a clip share. UTC is mapped once for each: no step can part or double it."""

    number: int
    id: Id
    offset_ms: int
    clock: SegmentClock


class SegmentWriter:
    """Writes segments in a thread of its own.

    Args:
        path: the folder of sealed segments; made when it is not there.
        recipients: to whom to seal.
        clock: UTC and its trust for each clip.
        on_sealed: told of each segment that is durably there, in the worker's thread.
    """

    def __init__(
        self, path: Path, recipients: RecipientsFile, clock: Clock, on_sealed: Callable[[Id], None]
    ) -> None:
        self._path = path
        self._recipients = recipients
        self._clock = clock
        self._on_sealed = on_sealed
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._backlog_bytes = 0
        self._stop = threading.Event()
        self._folder: SegmentFolder | None = None
        self._sealer = Sealer()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="proof")
        self._muxer: tuple[StreamInfo, Muxer] | None = None
        self._clip: _Clip | None = None
        self._thread = threading.Thread(target=self._work, name="segment-writer")
        self.fault: str | None = None
        self.dropped_frames = 0
        self.written = 0

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """The worker runs. It only ends when it is told to, or by a bug."""
        return self._thread.is_alive()

    @property
    def backlog_bytes(self) -> int:
        """Return the bytes that wait here."""
        return self._backlog_bytes

    def offer(self, segment: Segment, info: StreamInfo) -> None:
        """Hand a segment over. Never waits."""
        job = Job(segment, info, segment.bytes)
        with self._lock:
            self._backlog_bytes += job.bytes
        self._jobs.put(job)

    def close(self, timeout_s: float) -> bool:
        """Write what waits, without further tries, and end; say whether that was done in time."""
        self._stop.set()
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                self._finish(job)
                with self._lock:
                    self._backlog_bytes -= job.bytes
        finally:
            if self._muxer is not None:
                self._muxer[1].close()
            if self._folder is not None:
                self._folder.close()
            self._beside.shutdown()

    def _finish(self, job: Job) -> None:
        """Write one segment, trying again while the disk is in trouble; drop one that can't be written at all."""
        attempt = 0
        while True:
            try:
                if self._write(job):
                    self._says(None, "the disk takes segments again")
                    self.written += 1
                    return
            except RefusedError as exc:
                log.warning("recorder: a segment can't be sealed: %s", exc)
            except TroubleError as exc:
                self._says(exc.code, str(exc))
                if not self._stop.wait(full_jitter_s(attempt, low_s=RETRY_LOW_S, high_s=RETRY_HIGH_S)):
                    attempt += 1
                    continue
            self.dropped_frames += len(job.segment.packets)
            return

    def _says(self, fault: str | None, why: str) -> None:
        if fault != self.fault:
            log.warning("recorder: %s", why)
        self.fault = fault

    def _write(self, job: Job) -> bool:
        """Mux, seal and write; False when there is nobody to seal to."""
        current = self._recipients.current
        if current is None or not current.is_enough:
            return False
        segment, info = job.segment, job.info
        mp4 = self._muxer_of(job).mux(segment.packets, clip_ns=segment.clip_ns, end_ns=segment.end_ns)
        clip = self._clip_of(segment)
        start_ns = segment.packets[0].capture_ns
        meta = SegmentMeta(
            id=new_id(),
            clip=clip.id,
            n=segment.n,
            start_ms=max(0, start_ns // _NS_PER_MS + clip.offset_ms),
            end_ms=max(0, segment.end_ns // _NS_PER_MS + clip.offset_ms),
            clock=clip.clock,
            boot=self._clock.boot_id(),
            mono_ms=start_ns // _NS_PER_MS,
            device=current.device,
            codec=info.codec,
            width=info.width,
            height=info.height,
            trigger=segment.trigger,
            masked=info.masked,
            dropped=segment.dropped,
        )
        draft = draft_segment(self._sealer, meta, mp4, self._beside)
        self._open_folder().write_proving(meta.id, draft.file, lambda: draft.prove(current.recipients))
        self._on_sealed(meta.id)
        return True

    def _muxer_of(self, job: Job) -> Muxer:
        if self._muxer is None or self._muxer[0] is not job.info:
            if self._muxer is not None:
                self._muxer[1].close()
                self._muxer = None
            self._muxer = (job.info, Muxer(job.info.extradata, job.segment.packets[0].data))
        return self._muxer[1]

    def _clip_of(self, segment: Segment) -> _Clip:
        if self._clip is None or self._clip.number != segment.clip:
            utc_ms, boot_ns = self._clock.utc_ms(), self._clock.boot_ns()
            current = self._recipients.current
            trust: SegmentClock = "unsynced"
            if current is not None:
                trust = current.trust(utc_ms, synchronised=self._clock.synchronised())
            self._clip = _Clip(segment.clip, new_id(), utc_ms - boot_ns // _NS_PER_MS, trust)
        return self._clip

    def _open_folder(self) -> SegmentFolder:
        """Open the folder once it is there, and sweep out what a power cut left half written."""
        if self._folder is None:
            try:
                self._path.mkdir(mode=0o2750, parents=True, exist_ok=True)
            except OSError as exc:
                text = f"{self._path}: {exc.strerror}; check [device] state_dir"
                raise TroubleError("storage-failed", text) from exc
            folder = SegmentFolder(self._path)
            folder.remove_half(folder.scan().half)
            self._folder = folder
        return self._folder
