"""The log in its database: what it finds out about itself."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.consent import sqlite_log
from agent.core.merkle import leaf_hash
from agent.services.vault.database import Database


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    db = Database(tmp_path / "v.db")
    for n in range(3):
        sqlite_log.append(db.tx, n, "alert", {"id": str(n)})
    yield db.tx
    db.close()


def test_a_log_is_whole_until_something_in_it_is_changed(tx: sqlite3.Connection) -> None:
    assert sqlite_log.is_whole(tx)
    sqlite_log.forget(tx, [1])
    assert sqlite_log.is_whole(tx), "deleted bytes leave their leaf"


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM log WHERE n = 1",
        "DELETE FROM log WHERE n = 2",
        "UPDATE log SET entry = x'7b7d' WHERE n = 1",
        "UPDATE log SET entry = NULL, leaf = zeroblob(32) WHERE n = 1",
        "UPDATE log SET n = 9 WHERE n = 2",
    ],
)
def test_a_changed_log_is_found_out(tx: sqlite3.Connection, change: str) -> None:
    tx.execute(change)
    assert not sqlite_log.is_whole(tx)


def test_entries_are_read_with_the_hash_that_stays(tx: sqlite3.Connection) -> None:
    raw = sqlite_log.entry(tx, 0)
    assert raw is not None
    assert sqlite_log.leaves(tx, 1) == [leaf_hash(raw)]
    assert sqlite_log.entry(tx, 7) is None
