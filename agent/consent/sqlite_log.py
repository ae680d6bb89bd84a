"""The log in the vault's SQLite database: protocol section 14. This module does the I/O.

Rules of this room:

1. Every function takes a connection with an open transaction of the vault: an entry becomes durable together
   with what it tells of, or not at all.
2. Entries are only appended. The bytes of an evicted segment's entry are deleted; its leaf hash stays, so that
   every proof still holds.
3. The frontier is kept in the same transaction, so appending never reads the log.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.checkpoint import sign_checkpoint
from agent.core.merkle import Frontier, inclusion_proofs, leaf_hash, tree_root
from agent.core.strict_json import dump

HASH_BYTES: Final = 32

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE log (n INTEGER PRIMARY KEY, entry BLOB, leaf BLOB NOT NULL) STRICT",
        """CREATE TABLE log_head (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            size INTEGER NOT NULL,
            frontier BLOB NOT NULL,
            checkpoint TEXT NOT NULL,
            checkpoint_size INTEGER NOT NULL
        ) STRICT""",
        "INSERT INTO log_head VALUES (1, 0, x'', '', 0)",
    ),
)


def _head(tx: sqlite3.Connection) -> Frontier:
    size, raw = tx.execute("SELECT size, frontier FROM log_head").fetchone()
    return Frontier(size, [raw[start : start + HASH_BYTES] for start in range(0, len(raw), HASH_BYTES)])


def append(tx: sqlite3.Connection, at_s: int, kind: str, fields: Mapping[str, object]) -> int:
    """Append an entry and return its number.

    Args:
        tx: the vault's open transaction.
        at_s: UTC as it is known, unix seconds.
        kind: one of section 14's (`boot`, `segment`, `state`, …).
        fields: its fields, in their order.
    """
    frontier = _head(tx)
    number = frontier.size
    entry = dump({"n": number, "at": at_s, "t": kind, **fields})
    leaf = leaf_hash(entry)
    frontier.append(leaf)
    tx.execute("INSERT INTO log VALUES (?, ?, ?)", (number, entry, leaf))
    tx.execute("UPDATE log_head SET size = ?, frontier = ?", (frontier.size, b"".join(frontier.hashes)))
    return number


def forget(tx: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Delete the bytes of these entries; their leaf hashes stay."""
    tx.executemany("UPDATE log SET entry = NULL WHERE n = ?", [(number,) for number in numbers])


def size_and_root(tx: sqlite3.Connection) -> tuple[int, bytes]:
    """Return the number of entries and the root of all of them."""
    frontier = _head(tx)
    return frontier.size, frontier.root()


def make_checkpoint(tx: sqlite3.Connection, device_key: Ed25519PrivateKey) -> str:
    """Sign the log as it is now, keep the note as the latest one and return it."""
    size, root = size_and_root(tx)
    note = sign_checkpoint(size, root, device_key)
    tx.execute("UPDATE log_head SET checkpoint = ?, checkpoint_size = ?", (note, size))
    return note


def latest_checkpoint(tx: sqlite3.Connection) -> tuple[str, int]:
    """Return the latest checkpoint and the size that it speaks of; an empty text where there is none."""
    note, size = tx.execute("SELECT checkpoint, checkpoint_size FROM log_head").fetchone()
    return note, size


def entries(tx: sqlite3.Connection, after: int | None, limit: int) -> list[str | None]:
    """Return at most `limit` entries after number `after` (None: from the first); None where bytes are deleted."""
    first = 0 if after is None else after + 1
    rows = tx.execute("SELECT entry FROM log WHERE n >= ? ORDER BY n LIMIT ?", (first, limit))
    return [None if entry is None else entry.decode("utf-8") for (entry,) in rows]


def entry(tx: sqlite3.Connection, number: int) -> bytes | None:
    """Return the bytes of one entry, None where they were deleted or there is none."""
    row = tx.execute("SELECT entry FROM log WHERE n = ?", (number,)).fetchone()
    return None if row is None else row[0]


def leaves(tx: sqlite3.Connection, size: int) -> list[bytes]:
    """Return the leaf hashes of the first `size` entries."""
    return [leaf for (leaf,) in tx.execute("SELECT leaf FROM log WHERE n < ? ORDER BY n", (size,))]


def proofs(tx: sqlite3.Connection, size: int, numbers: Iterable[int]) -> dict[int, list[bytes]]:
    """Return the inclusion proofs of these entries in the tree of the first `size`."""
    return inclusion_proofs(leaves(tx, size), numbers)


def is_whole(tx: sqlite3.Connection) -> bool:
    """Say whether every leaf is there, fits its entry, and all give the kept root: asked once at the start."""
    size, root = size_and_root(tx)
    kept: list[bytes] = []
    for number, (n, raw, leaf) in enumerate(tx.execute("SELECT n, entry, leaf FROM log ORDER BY n")):
        if n != number or (raw is not None and leaf_hash(raw) != leaf):
            return False
        kept.append(leaf)
    return len(kept) == size and tree_root(kept) == root
