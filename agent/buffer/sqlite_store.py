"""The index of sealed segments and their stanzas, in the vault's SQLite database. This module does the I/O.

Rules of this room:

1. Every function takes a connection with an open transaction that the vault began and will commit: a segment,
   its log entry and its stanzas become durable together or not at all.
2. `i` is the number of a segment's log entry: it only rises, is never given twice, and pages the lists.
3. Two pairs of times. `start_ms`, `end_ms` are what the meta says, forever. `at_ms`, `until_ms` are what is
   known now: the recorded ones, or those that a `clock` entry mapped. Only what is `placed` (recorded with a
   synced clock, or unsynced and mapped) can match a request (protocol section 16). A suspect one never is: its
   recorded time is not to be trusted, and a verifier of the evidence would judge it by that time.
4. A query for a window looks back by the longest segment ever held, so it costs the same at any size.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from agent.buffer.sidecar import Sidecar
from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, Sha256
from agent.core.segment_file import SegmentClock, SegmentMeta, TriggerKind

# A wrong end_ms would make every query look back that far. Segments end at key frames and at a camera's gap,
# so ten minutes are far above any real one.
MAX_SEGMENT_MS: Final = 600_000

_COLUMNS: Final = (
    "i, id, clip, n, start_ms, end_ms, clock, boot, mono_ms, at_ms, until_ms, placed, mapped_by, trigger, bytes,"
    " sha256, sha256_plain"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment in the index.

    Attributes:
        i: number of its log entry, and its place in every list.
        id, clip, n, start_ms, end_ms, clock, boot, mono_ms, trigger: as in the meta.
        at_ms, until_ms: what is known now of its time; equal to start_ms, end_ms unless mapped.
        placed: that time may be matched.
        mapped_by: number of the `clock` log entry that mapped it, or None.
        bytes, sha256, sha256_plain: as in the sidecar.
    """

    i: int
    id: Id
    clip: Id
    n: int
    start_ms: int
    end_ms: int
    clock: SegmentClock
    boot: Id
    mono_ms: int
    at_ms: int
    until_ms: int
    placed: bool
    mapped_by: int | None
    trigger: TriggerKind
    bytes: int
    sha256: Sha256
    sha256_plain: Sha256


@dataclass(frozen=True, slots=True)
class StoredClip:
    """A clip, as far as its segments are still held: times are `at_ms` and `until_ms` of the outer ones."""

    clip: Id
    start_ms: int
    end_ms: int
    trigger: TriggerKind
    segments: tuple[Stored, ...]


def add_segment(tx: sqlite3.Connection, meta: SegmentMeta, sidecar: Sidecar, log_n: int) -> None:
    """Index a segment and its stanzas.

    Args:
        tx: the vault's open transaction.
        meta: of the segment file.
        sidecar: what lies beside it.
        log_n: number of its `segment` log entry, greater than any before.

    Raises:
        RefusedError: E_SEGMENT when it is indexed already or lasts longer than `MAX_SEGMENT_MS`.
    """
    length_ms = meta.end_ms - meta.start_ms
    if length_ms > MAX_SEGMENT_MS:
        raise RefusedError("E_SEGMENT", f"segment {meta.id} claims to last {length_ms} ms")
    at_ms, placed, mapped_by = meta.start_ms, meta.clock == "synced", None
    boot = bytes.fromhex(meta.boot)
    if meta.clock == "unsynced":
        mapping = tx.execute("SELECT offset_ms, log_n FROM mappings WHERE boot = ?", (boot,)).fetchone()
        if mapping is not None:
            at_ms, placed, mapped_by = meta.mono_ms + mapping[0], True, mapping[1]
    row = (
        log_n, bytes.fromhex(meta.id), bytes.fromhex(meta.clip), meta.n, meta.start_ms, meta.end_ms, meta.clock,
        boot, meta.mono_ms, at_ms, at_ms + length_ms, placed, mapped_by, meta.trigger, sidecar.bytes,
        bytes.fromhex(sidecar.sha256), bytes.fromhex(sidecar.sha256_plain),
    )  # fmt: skip
    try:
        tx.execute(f"INSERT INTO segments ({_COLUMNS}) VALUES (?{', ?' * (len(row) - 1)})", row)  # noqa: S608 - constants
    except sqlite3.IntegrityError as exc:
        raise RefusedError("E_SEGMENT", f"segment {meta.id} is indexed already") from exc
    tx.executemany(
        "INSERT INTO stanzas VALUES (?, ?, ?)", [(log_n, one.kid, one.stanza) for one in sidecar.stanzas]
    )
    tx.execute("UPDATE longest SET ms = ?1 WHERE ms < ?1", (length_ms,))


def put_mapping(tx: sqlite3.Connection, boot: Id, offset_ms: int, log_n: int) -> int:
    """Map every unsynced segment of `boot` that has no place in time yet, and those of it that follow.

    Args:
        tx: the vault's open transaction.
        boot: the boot whose time is now known.
        offset_ms: UTC ms = boot ms + offset_ms.
        log_n: number of the `clock` log entry that says so.

    Returns:
        How many segments were placed.
    """
    raw = bytes.fromhex(boot)
    tx.execute("INSERT OR REPLACE INTO mappings VALUES (?, ?, ?)", (raw, offset_ms, log_n))
    return tx.execute(
        "UPDATE segments SET at_ms = mono_ms + ?1, until_ms = mono_ms + ?1 + end_ms - start_ms, placed = 1,"
        " mapped_by = ?2 WHERE boot = ?3 AND NOT placed AND clock = 'unsynced'",
        (offset_ms, log_n, raw),
    ).rowcount


def overlapping(tx: sqlite3.Connection, from_ms: int, to_ms: int) -> list[int]:
    """Return `i` of every placed segment that overlaps [from_ms, to_ms), in order of time."""
    cursor = tx.execute(
        "SELECT i FROM segments INDEXED BY segments_by_time WHERE at_ms >= ?1 - (SELECT ms FROM longest)"
        " AND at_ms < ?2 AND until_ms > ?1 AND placed ORDER BY at_ms",
        (from_ms, to_ms),
    )
    return [i for (i,) in cursor]


def overlap(tx: sqlite3.Connection, from_ms: int, to_ms: int) -> list[Stored]:
    """Return every placed segment that overlaps [from_ms, to_ms), in order of time."""
    cursor = tx.execute(
        f"SELECT {_COLUMNS} FROM segments INDEXED BY segments_by_time"  # noqa: S608 - constants
        " WHERE at_ms >= ?1 - (SELECT ms FROM longest) AND at_ms < ?2 AND until_ms > ?1 AND placed"
        " ORDER BY at_ms, i",
        (from_ms, to_ms),
    )
    return [_stored(row) for row in cursor]


def segment(tx: sqlite3.Connection, id_: Id) -> Stored | None:
    """Return a segment by its id, or None."""
    row = tx.execute(f"SELECT {_COLUMNS} FROM segments WHERE id = ?", (bytes.fromhex(id_),)).fetchone()  # noqa: S608 - constants
    return None if row is None else _stored(row)


def clip(tx: sqlite3.Connection, clip_id: Id) -> list[Stored]:
    """Return the segments of a clip that are held, in their order."""
    cursor = tx.execute(
        f"SELECT {_COLUMNS} FROM segments WHERE clip = ? ORDER BY n",  # noqa: S608 - constants
        (bytes.fromhex(clip_id),),
    )
    return [_stored(row) for row in cursor]


def clips(tx: sqlite3.Connection, before_ms: int, limit: int) -> list[StoredClip]:
    """Return the newest clips that start before `before_ms`, newest first, at most `limit`.

    Clips may overlap in time after a step of the clock, so the last one seen may not be the last to start:
    the walk back goes on until no clip that it has not met yet can be among the newest.
    """
    found: dict[bytes, StoredClip] = {}
    cursor = tx.execute(
        "SELECT clip, at_ms FROM segments INDEXED BY segments_by_time WHERE at_ms < ? ORDER BY at_ms DESC",
        (before_ms,),
    )
    for raw, at_ms in cursor:
        if (
            len(found) >= limit
            and at_ms <= sorted((one.start_ms for one in found.values()), reverse=True)[limit - 1]
        ):
            break
        if raw not in found:
            found[raw] = _whole_clip(clip(tx, Id(raw.hex())))
    newest = sorted(found.values(), key=lambda one: one.start_ms, reverse=True)
    return newest[:limit]


def _whole_clip(segments: Sequence[Stored]) -> StoredClip:
    start_ms, end_ms = min(one.at_ms for one in segments), max(one.until_ms for one in segments)
    return StoredClip(segments[0].clip, start_ms, end_ms, segments[0].trigger, tuple(segments))


def stanzas(tx: sqlite3.Connection, kid: Kid, after: int, limit: int) -> list[tuple[int, Id, bytes]]:
    """Return (i, segment id, stanza) of one recipient, in order of `i`, from the first above `after`."""
    cursor = tx.execute(
        "SELECT i, id, stanza FROM stanzas JOIN segments USING (i) WHERE i > ? AND kid = ? ORDER BY i LIMIT ?",
        (after, kid, limit),
    )
    return [(i, Id(raw.hex()), stanza) for i, raw, stanza in cursor]


def stanza(tx: sqlite3.Connection, kid: Kid, i: int) -> bytes | None:
    """Return one recipient's stanza of the segment `i`, or None where none is held."""
    row = tx.execute("SELECT stanza FROM stanzas WHERE i = ? AND kid = ?", (i, kid)).fetchone()
    return None if row is None else cast("bytes", row[0])


def put_stanza(tx: sqlite3.Connection, kid: Kid, id_: Id, sealed: bytes) -> bool:
    """Add a handed-on stanza where none is held; say whether it was added."""
    statement = "INSERT OR IGNORE INTO stanzas SELECT i, ?, ? FROM segments WHERE id = ?"
    return tx.execute(statement, (kid, sealed, bytes.fromhex(id_))).rowcount == 1


def forget_recipient(tx: sqlite3.Connection, kid: Kid) -> int:
    """Delete every stanza of a recipient, say of a phone that was unpaired; returns how many there were."""
    return tx.execute("DELETE FROM stanzas WHERE kid = ?", (kid,)).rowcount


def ids(tx: sqlite3.Connection) -> Iterable[tuple[Id, int]]:
    """Yield id and bytes of every segment in the index, for the start-up's comparison with the folder."""
    return ((Id(raw.hex()), size) for raw, size in tx.execute("SELECT id, bytes FROM segments ORDER BY i"))


def _stored(row: Sequence[object]) -> Stored:
    i, raw_id, raw_clip, n, start_ms, end_ms, clock, boot, *rest, sha256, plain = cast("tuple[bytes, ...]", row)
    mono_ms, at_ms, until_ms, placed, mapped_by, trigger, size = rest
    return Stored(
        cast("int", i), Id(raw_id.hex()), Id(raw_clip.hex()), cast("int", n), cast("int", start_ms),
        cast("int", end_ms), cast("SegmentClock", clock), Id(boot.hex()), cast("int", mono_ms), cast("int", at_ms),
        cast("int", until_ms), bool(placed), cast("int | None", mapped_by), cast("TriggerKind", trigger),
        cast("int", size), Sha256(sha256.hex()), Sha256(plain.hex()),
    )  # fmt: skip
