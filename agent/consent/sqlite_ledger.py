"""Requests, consents, notices and single facts in the vault's SQLite database. This module does the I/O.

Rules of this room: every function takes a connection with an open transaction of the vault; what is written
here becomes durable together with its log entry. Every table that others fill is bounded, and what bounds it
stands beside it. The tables of `sqlite_phones`, `sqlite_seen` and `sqlite_uploads` are made here too.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.consent.states import FINAL, OPEN, State
from agent.core.ids import Id, Kid, Sha256

MAX_QUIET: Final = 200  # section 7: I results that are kept
MAX_CANCELS: Final = 1_000  # section 8
MAX_ALERTS: Final = 200  # section 8
SHOWN_MS: Final = 30 * 86_400_000  # section 10: 30 days
DAY_MS: Final = 86_400_000

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        """CREATE TABLE requests (
            id TEXT PRIMARY KEY,
            sha256 TEXT NOT NULL,
            envelope BLOB NOT NULL,
            agency TEXT NOT NULL,
            agency_name TEXT NOT NULL,
            case_number TEXT NOT NULL,
            incident TEXT NOT NULL,
            from_s INTEGER NOT NULL,
            to_s INTEGER NOT NULL,
            exp_s INTEGER NOT NULL,
            received_ms INTEGER NOT NULL,
            pending_ms INTEGER,
            state TEXT NOT NULL,
            state_ms INTEGER NOT NULL,
            consent TEXT
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX requests_by_state ON requests (state)",
        "CREATE INDEX requests_by_pending ON requests (pending_ms)",
        """CREATE TABLE seen (
            id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, until_s INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE consents (
            id TEXT PRIMARY KEY,
            request TEXT NOT NULL,
            decision TEXT NOT NULL,
            approver TEXT NOT NULL,
            envelope BLOB NOT NULL,
            at_ms INTEGER NOT NULL,
            log_n INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX consents_by_request ON consents (request)",
        """CREATE TABLE phones (
            kid TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            sign_pub BLOB NOT NULL,
            open_pub BLOB NOT NULL,
            state TEXT NOT NULL,
            paired_ms INTEGER NOT NULL,
            seen_ms INTEGER NOT NULL,
            paired_n INTEGER NOT NULL,
            admitted_n INTEGER
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE cancels (
            request TEXT NOT NULL, agency TEXT NOT NULL, until_s INTEGER NOT NULL, PRIMARY KEY (request, agency)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE alerts (
            id TEXT PRIMARY KEY, payload BLOB NOT NULL, exp_s INTEGER NOT NULL, received_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE uploads (
            request TEXT NOT NULL, segment TEXT NOT NULL, location TEXT, complete INTEGER NOT NULL,
            PRIMARY KEY (request, segment)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE submissions (
            request TEXT PRIMARY KEY, envelope BLOB NOT NULL, expires_s INTEGER NOT NULL, receipt BLOB
        ) STRICT, WITHOUT ROWID""",
    ),
    (
        "ALTER TABLE seen ADD COLUMN agency TEXT NOT NULL DEFAULT ''",
        # Before, what never reached the owner stayed for 30 days after it had expired.
        "DELETE FROM requests WHERE pending_ms IS NULL AND state IN ('EXPIRED', 'CANCELLED')",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A request that is held. `pending_ms`: when it first reached PENDING; `consent`: the one that stands."""

    id: Id
    sha256: Sha256
    envelope: bytes
    agency: str
    agency_name: str
    case_number: str
    incident: str
    from_s: int
    to_s: int
    exp_s: int
    received_ms: int
    pending_ms: int | None
    state: State
    state_ms: int
    consent: Id | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRow:
    """A consent that was accepted; `log_n` numbers its log entry."""

    id: Id
    request: Id
    decision: str
    approver: Kid
    envelope: bytes
    at_ms: int
    log_n: int


_REQUEST: Final = ", ".join(RequestRow.__dataclass_fields__)
_CONSENT: Final = ", ".join(ConsentRow.__dataclass_fields__)


# ---- facts: single values, by name


def fact(tx: sqlite3.Connection, name: str) -> bytes | int | str | None:
    """Return a single value by its name, None where it was never set."""
    row = tx.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else row[0]


def set_fact(tx: sqlite3.Connection, name: str, value: bytes | int | str) -> None:
    """Set a single value."""
    tx.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def forget_facts(tx: sqlite3.Connection, kind: str) -> None:
    """Forget the facts `kind:…`, which are of one boot each."""
    tx.execute("DELETE FROM facts WHERE substr(name, 1, ?) = ?", (len(kind) + 1, f"{kind}:"))


# ---- requests


def _request(row: tuple[object, ...]) -> RequestRow:
    value = dict(zip(RequestRow.__dataclass_fields__, row, strict=True))
    return RequestRow(**{**value, "state": State(str(value["state"]))})  # type: ignore[arg-type]  # as the table says


def put_request(tx: sqlite3.Connection, row: RequestRow) -> None:
    """Hold a request."""
    values = tuple(getattr(row, name) for name in RequestRow.__dataclass_fields__)
    tx.execute(f"INSERT INTO requests ({_REQUEST}) VALUES (?{', ?' * (len(values) - 1)})", values)  # noqa: S608 - constants


def trim_quiet(tx: sqlite3.Connection) -> None:
    """Let only the newest `MAX_QUIET` of the QUIET requests stay."""
    tx.execute(
        "DELETE FROM requests WHERE state = 'QUIET' AND id NOT IN"
        " (SELECT id FROM requests WHERE state = 'QUIET' ORDER BY received_ms DESC, id LIMIT ?)",
        (MAX_QUIET,),
    )


def request(tx: sqlite3.Connection, request_id: str) -> RequestRow | None:
    """Return a request that is held, or None."""
    row = tx.execute(f"SELECT {_REQUEST} FROM requests WHERE id = ?", (request_id,)).fetchone()  # noqa: S608 - constants
    return None if row is None else _request(row)


def requests_in(tx: sqlite3.Connection, states: Iterable[State]) -> list[RequestRow]:
    """Return the requests that are in one of these states, oldest first."""
    names = [state.value for state in states]
    marks = ", ".join("?" * len(names))
    rows = tx.execute(
        f"SELECT {_REQUEST} FROM requests WHERE state IN ({marks}) ORDER BY received_ms, id",  # noqa: S608 - marks
        names,
    )
    return [_request(row) for row in rows]


def shown_requests(tx: sqlite3.Connection, now_ms: int) -> list[RequestRow]:
    """Return every request that reached PENDING in the last 30 days, newest first."""
    rows = tx.execute(
        f"SELECT {_REQUEST} FROM requests WHERE pending_ms >= ? ORDER BY pending_ms DESC, id",  # noqa: S608 - constants
        (now_ms - SHOWN_MS,),
    )
    return [_request(row) for row in rows]


def set_state(
    tx: sqlite3.Connection, request_id: Id, state: State, now_ms: int, *, consent: Id | None = None
) -> None:
    """Write a request's new state; `consent` names the one that made it. First PENDING is remembered."""
    tx.execute(
        "UPDATE requests SET state = ?, state_ms = ?, consent = coalesce(?, consent),"
        " pending_ms = CASE WHEN ? = 'PENDING' THEN coalesce(pending_ms, ?) ELSE pending_ms END WHERE id = ?",
        (state.value, now_ms, consent, state.value, now_ms, request_id),
    )


def stamp(tx: sqlite3.Connection, request_id: Id, now_ms: int) -> None:
    """Say when a request came to its state, where that was not known."""
    tx.execute("UPDATE requests SET state_ms = ? WHERE id = ?", (now_ms, request_id))


def drop_request(tx: sqlite3.Connection, request_id: Id) -> None:
    """Drop a request that never reached the owner: its envelope is kept until it expires, no longer."""
    tx.execute("DELETE FROM requests WHERE id = ? AND pending_ms IS NULL", (request_id,))


def _listed(states: Iterable[State]) -> str:
    return ", ".join(f"'{state.value}'" for state in sorted(states))


def forget_old_requests(tx: sqlite3.Connection, now_ms: int) -> None:
    """Drop what is shown no longer and can't change any more, with all that belongs to it."""
    old = [
        (row[0],)
        for row in tx.execute(
            f"SELECT id FROM requests WHERE state IN ({_listed(FINAL)})"  # noqa: S608 - constants
            " AND coalesce(pending_ms, 0) < ? AND state_ms < ?",
            (now_ms - SHOWN_MS, now_ms - SHOWN_MS),
        )
    ]
    for table, column in (("requests", "id"), ("consents", "request"), ("uploads", "request")):
        tx.executemany(f"DELETE FROM {table} WHERE {column} = ?", old)  # noqa: S608 - the three names above
    tx.executemany("DELETE FROM submissions WHERE request = ?", old)


def open_counts(tx: sqlite3.Connection, agency: str, case: str, now_ms: int) -> tuple[int, int, int, int]:
    """Return the four figures of check 15: open of the agency, of agency and case in 30 days, pending, in 24 h."""
    states = f"({_listed(OPEN)})"
    row = tx.execute(
        "SELECT count(*) FILTER (WHERE agency = ?1 AND state IN " + states + "),"  # noqa: S608 - constants
        " count(*) FILTER (WHERE agency = ?1 AND case_number = ?2 AND pending_ms > ?3),"
        " count(*) FILTER (WHERE state IN " + states + "),"
        " count(*) FILTER (WHERE pending_ms > ?4)"
        " FROM requests WHERE pending_ms IS NOT NULL",
        (agency, case, now_ms - SHOWN_MS, now_ms - DAY_MS),
    ).fetchone()
    return row[0], row[1], row[2], row[3]


# ---- what is over


def forget_expired(tx: sqlite3.Connection, now_s: int) -> None:
    """Forget ids, cancels and alerts whose time is over."""
    tx.execute("DELETE FROM seen WHERE until_s <= ?", (now_s,))
    tx.execute("DELETE FROM cancels WHERE until_s <= ?", (now_s,))
    # For a day after it came an alert still counts for what a day may show, however short its life was.
    tx.execute("DELETE FROM alerts WHERE exp_s <= ? AND received_ms < ?", (now_s, now_s * 1_000 - DAY_MS))


# ---- consents


def put_consent(tx: sqlite3.Connection, row: ConsentRow) -> None:
    """Keep an accepted consent."""
    values = tuple(getattr(row, name) for name in ConsentRow.__dataclass_fields__)
    tx.execute(f"INSERT INTO consents ({_CONSENT}) VALUES (?{', ?' * (len(values) - 1)})", values)  # noqa: S608 - constants


def confirm_consent(tx: sqlite3.Connection, consent_id: Id, envelope: bytes) -> None:
    """Replace a consent's envelope by the same one with the button's signature."""
    tx.execute("UPDATE consents SET envelope = ? WHERE id = ?", (envelope, consent_id))


def consent(tx: sqlite3.Connection, consent_id: str) -> ConsentRow | None:
    """Return an accepted consent, or None."""
    row = tx.execute(f"SELECT {_CONSENT} FROM consents WHERE id = ?", (consent_id,)).fetchone()  # noqa: S608 - constants
    return None if row is None else ConsentRow(**dict(zip(ConsentRow.__dataclass_fields__, row, strict=True)))


def shares_since(tx: sqlite3.Connection, since_ms: int) -> int:
    """Return how many shares were accepted after `since_ms`, stopped or not."""
    row = tx.execute(
        "SELECT count(*) FROM consents WHERE decision = 'share' AND at_ms > ?", (since_ms,)
    ).fetchone()
    return int(row[0])


# ---- cancels that came first, alerts


def keep_cancel(tx: sqlite3.Connection, request_id: Id, agency: str, until_s: int) -> None:
    """Keep a cancel whose request did not come yet, at least until `until_s`; the oldest go first.

    One that comes again is kept for longer: before UTC was known its end may have lain in the past.
    """
    tx.execute(
        "INSERT INTO cancels VALUES (?, ?, ?)"
        " ON CONFLICT (request, agency) DO UPDATE SET until_s = max(until_s, excluded.until_s)",
        (request_id, agency, until_s),
    )
    tx.execute(
        "DELETE FROM cancels WHERE (request, agency) NOT IN"
        " (SELECT request, agency FROM cancels ORDER BY until_s DESC LIMIT ?)",
        (MAX_CANCELS,),
    )


def take_cancel(tx: sqlite3.Connection, request_id: Id, agency: str) -> bool:
    """Say whether a cancel by this agency waits for this request, and forget it."""
    statement = "DELETE FROM cancels WHERE request = ? AND agency = ?"
    return tx.execute(statement, (request_id, agency)).rowcount == 1


def put_alert(tx: sqlite3.Connection, alert_id: Id, payload: bytes, exp_s: int, received_ms: int) -> bool:
    """Keep an alert; False when it is known. The oldest of more than `MAX_ALERTS` go."""
    statement = "INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?)"
    fresh = tx.execute(statement, (alert_id, payload, exp_s, received_ms)).rowcount == 1
    tx.execute(
        "DELETE FROM alerts WHERE id NOT IN (SELECT id FROM alerts ORDER BY received_ms DESC, id LIMIT ?)",
        (MAX_ALERTS,),
    )
    return fresh


def alerts(tx: sqlite3.Connection, now_s: int) -> list[bytes]:
    """Return the payloads of live alerts, newest first."""
    rows = tx.execute("SELECT payload FROM alerts WHERE exp_s > ? ORDER BY received_ms DESC, id", (now_s,))
    return [payload for (payload,) in rows]


def alert_ids(tx: sqlite3.Connection) -> set[Id]:
    """Return the ids of every alert that is kept."""
    return {Id(one) for (one,) in tx.execute("SELECT id FROM alerts")}


def alerts_since(tx: sqlite3.Connection, since_ms: int) -> int:
    """Return how many alerts came after `since_ms`."""
    return int(tx.execute("SELECT count(*) FROM alerts WHERE received_ms > ?", (since_ms,)).fetchone()[0])
