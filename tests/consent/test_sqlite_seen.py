"""Ids of requests that were seen, in their database."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.consent import sqlite_seen
from agent.core.ids import Sha256, new_id
from agent.services.vault.database import Database


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    db = Database(tmp_path / "v.db")
    yield db.tx
    db.close()


def test_no_more_ids_are_remembered_than_there_is_room_for(
    tx: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_seen, "MAX_SEEN", 2)

    def remember() -> bool:
        return sqlite_seen.remember(tx, sqlite_seen.Seen(new_id(), Sha256("0" * 64), 9, "us-ca-examplepd"))

    assert [remember(), remember(), remember()] == [True, True, False]
