"""What leaves the index, and what must not yet: pins, eviction, and files still to be deleted. Does the I/O.

Rules of this room:

1. As in `sqlite_store`: the transaction is the vault's; the `evicted` log entry belongs into the same one.
2. An evicted segment stays named in `leaving` until its files are durably gone, so that a power cut between
   commit and deletion brings nothing back.
3. A pin names its reason. A pinned segment is not among what retention may take.
"""

import sqlite3
from collections.abc import Iterable, Iterator

from agent.buffer.retention import Held
from agent.core.ids import Id


def totals(tx: sqlite3.Connection) -> tuple[int, int]:
    """Return the number of segments in the index and their bytes."""
    count, size = tx.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM segments").fetchone()
    return count, size


def oldest(tx: sqlite3.Connection) -> Iterator[Held]:
    """Yield every segment in the order in which retention takes them; stop when enough was seen."""
    cursor = tx.execute(
        "SELECT i, id, bytes, until_ms, placed, EXISTS (SELECT 1 FROM pins WHERE pins.i = segments.i)"
        " FROM segments ORDER BY i"
    )
    return (
        Held(i=i, id=Id(raw.hex()), bytes=size, until_ms=until_ms if placed else None, pinned=bool(pinned))
        for i, raw, size, until_ms, placed, pinned in cursor
    )


def pin(tx: sqlite3.Connection, ids: Iterable[Id], why: str) -> None:
    """Keep segments from retention for a reason: a request's id, `keep`. Unknown ids are passed over."""
    tx.executemany(
        "INSERT OR IGNORE INTO pins SELECT i, ? FROM segments WHERE id = ?",
        [(why, bytes.fromhex(one)) for one in ids],
    )


def unpin(tx: sqlite3.Connection, why: str) -> int:
    """Take back every pin of that reason; returns how many there were."""
    return tx.execute("DELETE FROM pins WHERE why = ?", (why,)).rowcount


def unpin_these(tx: sqlite3.Connection, ids: Iterable[Id], why: str) -> None:
    """Take back these segments' pins of that reason."""
    tx.executemany(
        "DELETE FROM pins WHERE why = ? AND i = (SELECT i FROM segments WHERE id = ?)",
        [(why, bytes.fromhex(one)) for one in ids],
    )


def is_pinned(tx: sqlite3.Connection, id_: Id) -> bool:
    """Say whether any reason keeps the segment."""
    row = tx.execute("SELECT 1 FROM pins JOIN segments USING (i) WHERE id = ?", (bytes.fromhex(id_),)).fetchone()
    return row is not None


def evict(tx: sqlite3.Connection, ids: Iterable[Id]) -> list[int]:
    """Take segments out of the index, with stanzas and pins, and note that their files have to go.

    Returns:
        The numbers of their log entries, whose bytes the vault deletes in the same transaction (section 14).
    """
    places = []
    for one in ids:
        raw = bytes.fromhex(one)
        row = tx.execute("SELECT i FROM segments WHERE id = ?", (raw,)).fetchone()
        if row is None:
            continue
        for table in ("stanzas", "pins", "segments"):
            tx.execute(f"DELETE FROM {table} WHERE i = ?", row)  # noqa: S608 - the three names above
        tx.execute("INSERT OR IGNORE INTO leaving VALUES (?)", (raw,))
        places.append(row[0])
    return places


def leaving(tx: sqlite3.Connection) -> list[Id]:
    """Return the evicted segments whose files may still be there."""
    return [Id(raw.hex()) for (raw,) in tx.execute("SELECT id FROM leaving")]


def left(tx: sqlite3.Connection, ids: Iterable[Id]) -> None:
    """Forget evicted segments whose files are durably gone (after `SegmentFolder.remove`)."""
    tx.executemany("DELETE FROM leaving WHERE id = ?", [(bytes.fromhex(one),) for one in ids])
