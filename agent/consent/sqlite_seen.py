"""Ids of requests that were seen, in the vault's SQLite database. This module does the I/O.

Rules of this room: as in `sqlite_ledger`, which makes the tables.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from agent.core.ids import Id, Sha256

MAX_SEEN: Final = 20_000  # ids that are remembered; each cost its sender two signatures
MAX_LIVE_AGENCIES: Final = 256  # as many as the directory remembers under one `platform.json`


@dataclass(frozen=True, slots=True)
class Seen:
    """An id that is remembered with the hash of its payload until it expires, and whose request it was."""

    id: Id
    sha256: Sha256
    until_s: int
    agency: str


def seen(tx: sqlite3.Connection, request_id: str) -> Sha256 | None:
    """Return the hash of the payload that is remembered under an id, or None.

    What is held is remembered too: UTC that goes back a little must not make a request new that has expired.
    """
    row = tx.execute(
        "SELECT sha256 FROM seen WHERE id = ?1 UNION ALL SELECT sha256 FROM requests WHERE id = ?1", (request_id,)
    ).fetchone()
    return None if row is None else Sha256(row[0])


def remember(tx: sqlite3.Connection, one: Seen) -> bool:
    """Remember an id until its request expires; False when too many are remembered."""
    (count,) = tx.execute("SELECT count(*) FROM seen").fetchone()
    if count >= MAX_SEEN:
        return False
    tx.execute(
        "INSERT INTO seen (id, sha256, until_s, agency) VALUES (?, ?, ?, ?)",
        (one.id, one.sha256, one.until_s, one.agency),
    )
    return True


def live_agencies(tx: sqlite3.Connection, now_s: int) -> list[str]:
    """Return whose requests passed checks 1-10 and have not expired, whatever became of them since."""
    rows = tx.execute(
        "SELECT agency FROM seen WHERE until_s > ? AND agency != ''"
        " GROUP BY agency ORDER BY max(until_s) DESC, agency LIMIT ?",
        (now_s, MAX_LIVE_AGENCIES),
    )
    return [agency for (agency,) in rows]
