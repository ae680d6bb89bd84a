"""Phones in the vault's SQLite database. This module does the I/O.

Rules of this room: as in `sqlite_ledger`, which makes the table. It grows by the owner's own hand only, by a row
for each pairing.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from agent.consent.phones import Phone, PhoneState
from agent.core.ids import Kid, kid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneRow:
    """A phone as it was paired; `paired_n` and `admitted_n` number its log entries."""

    kid: Kid
    name: str
    sign_pub: bytes
    open_pub: bytes
    state: PhoneState
    paired_ms: int
    seen_ms: int
    paired_n: int
    admitted_n: int | None

    @property
    def open_kid(self) -> Kid:
        """The recipient's name in this phone's stanzas."""
        return kid_of(self.open_pub)

    @property
    def phone(self) -> Phone:
        """What decisions need of it."""
        return Phone(kid=self.kid, sign_pub=self.sign_pub, state=self.state)


_PHONE: Final = ", ".join(PhoneRow.__dataclass_fields__)


def put_phone(tx: sqlite3.Connection, row: PhoneRow) -> None:
    """Keep a phone that was paired."""
    values = tuple(getattr(row, name) for name in PhoneRow.__dataclass_fields__)
    tx.execute(f"INSERT INTO phones ({_PHONE}) VALUES (?{', ?' * (len(values) - 1)})", values)  # noqa: S608 - constants


def phones(tx: sqlite3.Connection) -> list[PhoneRow]:
    """Return every phone that was ever paired, in the order of pairing."""
    rows = tx.execute(f"SELECT {_PHONE} FROM phones ORDER BY paired_n")  # noqa: S608 - constants
    found = []
    for row in rows:
        value = dict(zip(PhoneRow.__dataclass_fields__, row, strict=True))
        found.append(PhoneRow(**{**value, "state": PhoneState(value["state"])}))
    return found


def set_phone_state(tx: sqlite3.Connection, kid: Kid, state: PhoneState, *, admitted_n: int | None = None) -> None:
    """Admit or unpair a phone."""
    tx.execute(
        "UPDATE phones SET state = ?, admitted_n = coalesce(?, admitted_n) WHERE kid = ?",
        (state.value, admitted_n, kid),
    )


def touch_phone(tx: sqlite3.Connection, kid: Kid, seen_ms: int) -> None:
    """Note when a phone was last here."""
    tx.execute("UPDATE phones SET seen_ms = ? WHERE kid = ?", (seen_ms, kid))
