"""The ledger's tables come up from each older version with what they held; what is kept, and for how long."""

import sqlite3
from pathlib import Path

from agent.consent import sqlite_ledger, sqlite_seen
from agent.core.ids import Sha256, new_id
from agent.services.vault.database import Database


def test_a_ledger_of_version_1_keeps_what_it_must_and_nothing_else(tmp_path: Path) -> None:
    seen, kept, gone = new_id(), new_id(), new_id()
    old = sqlite3.connect(tmp_path / "v.db", isolation_level=None)
    for statement in sqlite_ledger.MIGRATIONS[0]:
        old.execute(statement)
    old.execute("CREATE TABLE versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT")
    old.execute("INSERT INTO versions VALUES ('ledger', 1)")
    old.execute("INSERT INTO seen VALUES (?, ?, ?)", (seen, "a" * 64, 5_000))
    for one, pending_ms, state in ((kept, 1, "EXPIRED"), (gone, None, "EXPIRED")):
        row = (one, "b" * 64, b"", "a", "A", "1", "x", 0, 1, 2, 3, pending_ms, state, 4, None)
        old.execute(f"INSERT INTO requests VALUES ({', '.join('?' * 15)})", row)
    old.close()
    db = Database(tmp_path / "v.db")
    assert sqlite_seen.seen(db.tx, seen) == Sha256("a" * 64)
    assert sqlite_seen.live_agencies(db.tx, 0) == []
    assert sqlite_ledger.request(db.tx, kept) is not None
    assert sqlite_ledger.request(db.tx, gone) is None
    db.close()


def test_a_cancel_that_comes_again_is_kept_until_the_later_end(tmp_path: Path) -> None:
    db, request = Database(tmp_path / "v.db"), new_id()
    for until_s in (700_000, 1_800_600_000, 1_800_000_000):
        sqlite_ledger.keep_cancel(db.tx, request, "a", until_s)
    sqlite_ledger.forget_expired(db.tx, 1_800_599_999)
    assert sqlite_ledger.take_cancel(db.tx, request, "a")
    db.close()
