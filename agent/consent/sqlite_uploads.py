"""Where uploads stand, and what was submitted, in the vault's SQLite database. This module does the I/O.

Rules of this room: as in `sqlite_ledger`, which makes the tables. Both are bounded by the segments of the requests
that are held, and go with their request.
"""

import sqlite3
from collections.abc import Iterable

from agent.core.ids import Id


def put_upload(
    tx: sqlite3.Connection, request_id: Id, segment: Id, location: str | None, *, complete: bool
) -> None:
    """Note where a segment's upload stands."""
    tx.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)", (request_id, segment, location, complete))


def uploads(tx: sqlite3.Connection, request_id: Id) -> dict[Id, tuple[str | None, bool]]:
    """Return location and completeness of each segment's upload."""
    rows = tx.execute("SELECT segment, location, complete FROM uploads WHERE request = ?", (request_id,))
    return {Id(segment): (location, bool(complete)) for segment, location, complete in rows}


def forget_uploads(tx: sqlite3.Connection, request_id: Id) -> None:
    """Forget where uploads stood, once they were handed over."""
    tx.execute("DELETE FROM uploads WHERE request = ?", (request_id,))


def forget_locations(tx: sqlite3.Connection, request_id: Id, locations: Iterable[str]) -> None:
    """Forget the uploads that were deleted at the upload server."""
    rows = [(request_id, location) for location in locations]
    tx.executemany("DELETE FROM uploads WHERE request = ? AND location = ?", rows)


def put_submission(tx: sqlite3.Connection, request_id: Id, envelope: bytes, expires_s: int) -> None:
    """Keep the submission that is being sent; `expires_s` is the directory timestamp's in it."""
    tx.execute("INSERT OR REPLACE INTO submissions VALUES (?, ?, ?, NULL)", (request_id, envelope, expires_s))


def submission(tx: sqlite3.Connection, request_id: Id) -> tuple[bytes, int, bytes | None] | None:
    """Return envelope, expiry and receipt of a submission, or None."""
    row = tx.execute(
        "SELECT envelope, expires_s, receipt FROM submissions WHERE request = ?", (request_id,)
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def put_receipt(tx: sqlite3.Connection, request_id: Id, receipt: bytes) -> None:
    """Keep a verified receipt."""
    tx.execute("UPDATE submissions SET receipt = ? WHERE request = ?", (receipt, request_id))
