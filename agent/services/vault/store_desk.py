"""The store's keeper: indexes sealed segments, repairs after a power cut, evicts what has to go."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from agent.buffer import sqlite_eviction, sqlite_store
from agent.buffer.names import names_of
from agent.buffer.reconcile import Found, reconcile
from agent.buffer.retention import sweep
from agent.buffer.segment_files import SegmentFolder
from agent.buffer.sqlite_store import Stored
from agent.consent import sqlite_log
from agent.consent.consent_form import SegmentRef
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, is_id
from agent.services.vault.house import House

ROOM_BYTES: Final = 16 * 1024 * 1024  # what a full disk is given back: a few segments, and the log of their going
MAX_EVICTED_AT_ONCE: Final = 512  # ids in one log entry
KEEP: Final = "keep"  # the reason of a pin that the owner set


def ref(stored: Stored) -> SegmentRef:
    """Return a stored segment as a consent names it: recorded times, whatever was mapped since."""
    return SegmentRef(
        id=stored.id,
        sha256=stored.sha256,
        size_bytes=stored.bytes,
        start_ms=stored.start_ms,
        end_ms=stored.end_ms,
    )


class StoreDesk:
    """Keeps folder, index and log equal.

    Args:
        house: what the vault shares.
        folder: of sealed segments.
        quarantine: where what nothing explains is moved.
    """

    def __init__(self, house: House, folder: SegmentFolder, quarantine: Path) -> None:
        self._house = house
        self._tx = house.db.tx
        self.folder = folder
        self._quarantine = quarantine
        self._pinned: Callable[[], set[Id]] = set

    # ---- start-up

    def repair(self) -> None:
        """Make folder and index equal after whatever happened; unexplained files go to the quarantine."""
        scan = self.folder.scan()
        sizes = {one: self.folder.size(one) or 0 for one in scan.complete}
        # A half may be what the recorder writes right now; the recorder deletes its own at its start.
        lone = {one: self.folder.size(one) or 0 for one in scan.lone}
        found = Found(complete=sizes, half=(), lone=lone, foreign=scan.foreign)
        todo = reconcile(found, dict(sqlite_store.ids(self._tx)), sqlite_eviction.leaving(self._tx))
        self._finish_leaving(todo.delete)
        self.folder.remove_half(todo.delete_names)
        odd = [name for one in todo.quarantine for name in names_of(one)] + list(todo.quarantine_names)
        for one in todo.index:
            if not self.index(one):
                odd += names_of(one)
        if odd:
            self.folder.quarantine(odd, self._quarantine)
        for start in range(0, len(todo.missing), MAX_EVICTED_AT_ONCE):
            self._evict(todo.missing[start : start + MAX_EVICTED_AT_ONCE])
        self._house.set_faults("store", ["segments-quarantined"] if odd or todo.missing else [])

    def index(self, id_: Id) -> bool:
        """Index one sealed segment with its log entry; False when the pair is not what it says.

        Raises:
            TroubleError: the disk.
        """
        if sqlite_store.segment(self._tx, id_) is not None:
            return True
        try:
            meta, sidecar = self.folder.check(id_)
            if meta.device != self._house.keys.device_kid:
                return False
            with self._house.db.transaction() as tx:
                fields = {
                    "id": meta.id,
                    "clip": meta.clip,
                    "i": meta.n,
                    "start_ms": meta.start_ms,
                    "end_ms": meta.end_ms,
                    "clock": meta.clock,
                    "bytes": sidecar.bytes,
                    "sha256": sidecar.sha256,
                    "sha256_plain": sidecar.sha256_plain,
                }
                sqlite_store.add_segment(tx, meta, sidecar, self._house.log(tx, "segment", fields))
        except RefusedError:
            return False
        return True

    def sealed(self, id_: object) -> None:
        """Take the recorder's word that a segment is complete: check it, index it, make room for the next.

        Raises:
            RefusedError: no segment of that name that holds.
            TroubleError: the disk.
        """
        if not is_id(id_):
            raise RefusedError("E_SCHEMA", "no segment id")
        if not self.index(id_):
            with contextlib.suppress(TroubleError):
                self.folder.quarantine(names_of(id_), self._quarantine)
            self._house.set_faults("store", ["segments-quarantined"])
            raise RefusedError("E_SEGMENT", "the segment is not what its sidecar says")
        self.sweep()

    # ---- what leaves

    def on_choosing(self, pinned: Callable[[], set[Id]]) -> None:
        """Ask `pinned` for the segments that a phone is choosing from right now."""
        self._pinned = pinned

    def make_room(self) -> None:
        """Evict the oldest while the disk itself is full, whatever fills it; the limit may never be reached.

        The disk is asked, not whoever says that it is full.
        """
        short_bytes = ROOM_BYTES - self.folder.free_bytes()
        if short_bytes > 0:
            _, total = sqlite_eviction.totals(self._tx)
            self.sweep(max(0, total - short_bytes))

    def sweep(self, max_bytes: int | None = None) -> None:
        """Evict what has to go, by bytes and then by age; `max_bytes` may be lower than the configured limit."""
        _, total = sqlite_eviction.totals(self._tx)
        reading = self._house.now()
        choosing = self._pinned()
        clips = self._house.config.clips
        take = sweep(
            (one for one in sqlite_eviction.oldest(self._tx) if one.id not in choosing),
            total_bytes=total,
            max_bytes=clips.max_bytes if max_bytes is None else min(max_bytes, clips.max_bytes),
            max_age_days=clips.max_age_days,
            now_ms=reading.utc_ms if reading.trusted else None,
        )
        for start in range(0, len(take.ids), MAX_EVICTED_AT_ONCE):
            self._evict(take.ids[start : start + MAX_EVICTED_AT_ONCE])
        self._house.set_faults("retention", ["storage-pinned"] if take.short_bytes else [])

    def delete_clip(self, clip: Id) -> None:
        """Delete a clip before its time, at the owner's word; what an approval has pinned stays.

        Raises:
            RefusedError: C_STATE, when an approval keeps all of it.
        """
        held = [one.id for one in sqlite_store.clip(self._tx, clip)]
        with self._house.db.transaction() as tx:
            sqlite_eviction.unpin_these(tx, held, KEEP)
            free = [one for one in held if not sqlite_eviction.is_pinned(tx, one)]
            if held and not free:  # then the owner's own pin stays too
                raise RefusedError("C_STATE", "an approval keeps this clip until it is delivered")
        self._evict(free)

    def keep_clip(self, clip: Id) -> None:
        """Keep a clip from being evicted."""
        with self._house.db.transaction() as tx:
            sqlite_eviction.pin(tx, [one.id for one in sqlite_store.clip(tx, clip)], KEEP)

    def _evict(self, ids: Iterable[Id]) -> None:
        gone = list(ids)
        if not gone:
            return
        with self._house.db.transaction() as tx:
            numbers = sqlite_eviction.evict(tx, gone)
            self._house.log(tx, "evicted", {"ids": gone})
            sqlite_log.forget(tx, numbers)
        self._finish_leaving(gone)

    def _finish_leaving(self, ids: Iterable[Id]) -> None:
        gone = list(ids)
        if gone:
            self.folder.remove(gone)
            with self._house.db.transaction() as tx:
                sqlite_eviction.left(tx, gone)

    # ---- what is there

    def matching(self, from_s: int, to_s: int) -> list[Stored]:
        """Return the segments that overlap [from, to), by mapped time."""
        return sqlite_store.overlap(self._tx, from_s * 1_000, to_s * 1_000)

    def holds(self, id_: Id) -> bool:
        """Say whether a segment is in the index."""
        return sqlite_store.segment(self._tx, id_) is not None

    def overlaps(self, from_ms: int, to_ms: int) -> bool:
        """Say whether any segment overlaps [from_ms, to_ms)."""
        return bool(sqlite_store.overlapping(self._tx, from_ms, to_ms))

    def count(self, from_s: int, to_s: int) -> int:
        """Return how many segments overlap [from, to), by mapped time."""
        return len(sqlite_store.overlapping(self._tx, from_s * 1_000, to_s * 1_000))

    def status(self) -> Mapping[str, int]:
        """Return bytes held and the limit."""
        _, total = sqlite_eviction.totals(self._tx)
        return {"bytes": total, "limit": self._house.config.clips.max_bytes}
