"""The owner's phones, in their database."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.consent import sqlite_phones
from agent.consent.phones import PhoneState
from agent.core.ids import Kid
from agent.services.vault.database import Database


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    db = Database(tmp_path / "v.db")
    yield db.tx
    db.close()


def test_a_phone_is_remembered_with_its_last_visit(tx: sqlite3.Connection) -> None:
    row = sqlite_phones.PhoneRow(
        kid=Kid("0" * 16),
        name="Phone",
        sign_pub=b"s",
        open_pub=b"o",
        state=PhoneState.ADMITTED,
        paired_ms=1,
        seen_ms=1,
        paired_n=0,
        admitted_n=None,
    )
    sqlite_phones.put_phone(tx, row)
    sqlite_phones.touch_phone(tx, row.kid, 7)
    assert [phone.seen_ms for phone in sqlite_phones.phones(tx)] == [7]
