"""What is judged of each segment: granted, sealed as logged, opened, and the film that the log names.

Sections 9, 11 and 15. One segment is in memory at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, Kid, sha256_hex
from agent.core.keys import raw_public
from agent.core.seal import grant_info, open_cek
from agent.core.segment_file import MAX_FILE_BYTES, SegmentMeta, open_segment, split
from agent.evidence.log_leaves import Log, SegmentEntry
from agent.evidence.request_scope import Request
from agent.evidence.share import Granted

GRANT: Final = "grant"
SEALED: Final = "sealed"
OPENS: Final = "opens"
PLAIN: Final = "plain"

MAX_SEGMENT_MS: Final = 86_400_000  # section 9 asks for seconds; this only bounds what is shown

Keep: TypeAlias = Callable[[SegmentMeta, bytes], None]


class SegmentFiles(Protocol):
    """Where the segment files come from."""

    def segment(self, segment: Id, max_bytes: int) -> bytes:
        """Return one segment file; raises TroubleError or RefusedError."""
        ...

    def segment_ids(self) -> frozenset[Id]:
        """Return the ids of all that are there; raises TroubleError or RefusedError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A segment whose file is the granted one; UTC in ms, `mapped` where the log's clock entry gave it."""

    meta: SegmentMeta
    granted: Granted
    entry: SegmentEntry
    start_ms: int
    end_ms: int
    mapped: bool


@dataclass(slots=True)
class Tally:
    """The first fault of each claim about segments, and the segments that had none of those that were granted."""

    granted: int
    faults: dict[str, str] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)

    def fault(self, name: str, why: str) -> None:
        """Note a fault; only the first of a claim is told."""
        self.faults.setdefault(name, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentJudge:
    """Judges the granted segments of one bundle.

    Attributes:
        files: the bundle.
        request: the verified request.
        log: the entries that the bundle shows.
        device: kid of the device that signed the submission.
        key: the agency's private enc key, if it is at hand.
        keep: is handed each film that opened and is the logged one.
    """

    files: SegmentFiles
    request: Request
    log: Log
    device: Kid
    key: X25519PrivateKey | None
    keep: Keep | None = None

    def judge(self, granted: Sequence[Granted]) -> Tally:
        """Judge all granted segments, in the order of their times."""
        tally = Tally(len(granted))
        self._judge_names(granted, tally)
        for item in sorted(granted, key=lambda item: (item.start_ms, item.id)):
            self._judge_one(item, tally)
        return tally

    def _judge_names(self, granted: Sequence[Granted], tally: Tally) -> None:
        try:
            more = self.files.segment_ids() - {item.id for item in granted}
        except (RefusedError, TroubleError) as exc:
            tally.fault(SEALED, str(exc))
            return
        if more:
            tally.fault(GRANT, f"segment {min(more)} is in the bundle and no consent grants it")

    def _judge_one(self, granted: Granted, tally: Tally) -> None:
        try:
            file = self._granted_file(granted)
            meta = split(file)[0]
            entry = self._logged(granted, meta)
        except (RefusedError, TroubleError) as exc:
            tally.fault(SEALED, str(exc))
            return
        try:
            shown = self._in_window(granted, meta, entry)
        except RefusedError as exc:
            tally.fault(GRANT, str(exc))
            return
        if self.key is not None and not self._open(self.key, file, shown, tally):
            return
        tally.shown.append(shown)

    def _granted_file(self, granted: Granted) -> bytes:
        file = self.files.segment(granted.id, min(granted.size_bytes, MAX_FILE_BYTES))
        if len(file) != granted.size_bytes or sha256_hex(file) != granted.sha256:
            raise RefusedError("E_SEGMENT", f"segment {granted.id} is not the file that was granted")
        return file

    def _logged(self, granted: Granted, meta: SegmentMeta) -> SegmentEntry:
        """Hold the file's own meta against the consent and the log."""
        entry = self.log.segments.get(granted.id)
        if entry is None:
            raise RefusedError("E_LOG", f"the log entry of segment {granted.id} is not shown")
        if meta.id != granted.id or meta.device != self.device:
            raise RefusedError("E_SEGMENT", f"segment {granted.id} is of another device, or under another's name")
        if (meta.start_ms, meta.end_ms) != (granted.start_ms, granted.end_ms):
            raise RefusedError("E_SEGMENT", f"segment {granted.id} has other times than the consent names")
        if (entry.sha256, entry.size_bytes) != (granted.sha256, granted.size_bytes):
            raise RefusedError("E_LOG", f"segment {granted.id} has another hash or length in the log")
        if (entry.clip, entry.i, entry.start_ms, entry.end_ms, entry.clock) != (
            meta.clip,
            meta.n,
            meta.start_ms,
            meta.end_ms,
            meta.clock,
        ):
            raise RefusedError("E_LOG", f"segment {granted.id} has another place or time in the log")
        return entry

    def _in_window(self, granted: Granted, meta: SegmentMeta, entry: SegmentEntry) -> Shown:
        """Map the segment's time where it was recorded unsynced, and hold it against the request's window."""
        start_ms, end_ms = meta.start_ms, meta.end_ms
        mapped = meta.clock == "unsynced"
        if mapped:
            offset_ms = self.log.offset_ms(meta.boot, entry.n)
            if offset_ms is None:
                raise RefusedError(
                    "C_STALE", f"segment {granted.id} was recorded before the clock was set: no time"
                )
            start_ms = meta.mono_ms + offset_ms
            end_ms = start_ms + meta.end_ms - meta.start_ms
        if end_ms - start_ms > MAX_SEGMENT_MS:
            raise RefusedError("C_STALE", f"segment {granted.id} is said to last longer than a day")
        if not (start_ms < self.request.to_s * 1000 and end_ms > self.request.from_s * 1000):
            raise RefusedError("C_STALE", f"segment {granted.id} is outside the time that was asked for")
        return Shown(meta=meta, granted=granted, entry=entry, start_ms=start_ms, end_ms=end_ms, mapped=mapped)

    def _open(self, key: X25519PrivateKey, file: bytes, shown: Shown, tally: Tally) -> bool:
        granted = shown.granted
        if raw_public(key) != self.request.enc_public:
            tally.fault(OPENS, "this is not the key that the request names")
            return False
        try:
            cek = open_cek(key, granted.wrap, grant_info(self.request.sha256, granted.sha256))
            meta, mp4 = open_segment(file, cek)
        except RefusedError:
            tally.fault(OPENS, f"the grant of segment {granted.id} does not open it")
            return False
        if sha256_hex(mp4) != shown.entry.sha256_plain:
            tally.fault(PLAIN, f"the film in segment {granted.id} is not the one that the log names")
            return False
        if self.keep is not None:
            self.keep(meta, mp4)
        return True


def by_clip(shown: Sequence[Shown]) -> Mapping[Id, list[Shown]]:
    """Group segments by clip, each in order of its place; clips in order of time."""
    clips: dict[Id, list[Shown]] = {}
    for item in sorted(shown, key=lambda item: (item.start_ms, item.meta.n)):
        clips.setdefault(item.meta.clip, []).append(item)
    for items in clips.values():
        items.sort(key=lambda item: item.meta.n)
    return clips
