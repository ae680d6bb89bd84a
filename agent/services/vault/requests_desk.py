"""The life of each request: arrival, re-checks, cancel, expiry, receipt (sections 7, 8, 12).

Rules of this room:

1. State, log entry and what the effect will need are one durable transaction; the effect comes after it.
2. Every change of state goes through `move`, which asks the table.
3. Nothing here approves. What leaves the house is for `uploads`, and only a `Release` lets it.
"""

import sqlite3
from collections.abc import Callable
from typing import Final

from agent.buffer import sqlite_eviction
from agent.consent import sqlite_ledger as ledger
from agent.consent import sqlite_seen, sqlite_uploads
from agent.consent.checks import check_again
from agent.consent.request import Request, parse_request
from agent.consent.sqlite_ledger import RequestRow
from agent.consent.states import FINAL, OPEN, Event, State, next_state
from agent.core.envelope import parse_envelope
from agent.core.errors import RefusedError
from agent.core.ids import Id, sha256_hex
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.house import House
from agent.services.vault.store_desk import StoreDesk

WAIT_S: Final = 72 * 3_600  # section 12
NO_TIME: Final = 0  # `state_ms` of what was entered while UTC was not trusted
LOOK_S: Final = 5.0
MAX_PARSED: Final = 64
_OVER: Final = frozenset(
    {State.PENDING, State.DECLINED, State.EXPIRED, State.CANCELLED, State.WITHDRAWN}
    | {State.DELIVERED, State.UNCONFIRMED, State.FAILED}
)


class RequestsDesk:
    """Every request that reached the owner, and those that quietly wait.

    Args:
        house: what the vault shares.
        store: what is recorded.
        directory: who is who.
    """

    def __init__(self, house: House, store: StoreDesk, directory: DirectoryDesk) -> None:
        self._house = house
        self._tx = house.db.tx
        self._store = store
        self._directory = directory
        self._parsed: dict[Id, Request] = {}
        self._on_move: Callable[[RequestRow], None] = lambda _: None
        self._on_uploading: Callable[[Id], None] = lambda _: None
        self._on_withdrawn: Callable[[Id], None] = lambda _: None

    def on_effects(self, uploading: Callable[[Id], None], withdrawn: Callable[[Id], None]) -> None:
        """Call these after a request became UPLOADING, or left it without being handed over."""
        self._on_uploading = uploading
        self._on_withdrawn = withdrawn

    def on_move(self, action: Callable[[RequestRow], None]) -> None:
        """Call `action` after each durable change, with the request as it is now."""
        self._on_move = action

    # ---- what is held

    def row(self, request_id: object) -> RequestRow:
        """Return a request that reached the owner.

        Raises:
            RefusedError: NOT_FOUND.
        """
        row = ledger.request(self._tx, request_id) if isinstance(request_id, str) else None
        if row is None or row.pending_ms is None:
            raise RefusedError("NOT_FOUND", "there is no such request")
        return row

    def parsed(self, row: RequestRow) -> Request:
        """Return the verified payload of a request that is held."""
        request = self._parsed.get(row.id)
        if request is None:
            request = parse_request(parse_envelope(row.envelope, counts=(2,)).payload)
            if len(self._parsed) > MAX_PARSED:
                self._parsed.clear()
            self._parsed[row.id] = request
        return request

    def live_agencies(self) -> set[str]:
        """Return the agencies to look up with each refresh: of every request that passed 1-10 and lives.

        Not only of those that are held: what is looked up is seen on the wire, and may not depend on a match, on
        what check 15 withholds, on a cancel or on what the owner did. Only a share may outlive its request.
        """
        shared = {row.agency for row in ledger.requests_in(self._tx, [State.GRACE, State.UPLOADING])}
        return shared.union(sqlite_seen.live_agencies(self._tx, self._house.now().utc_s))

    def waiting(self) -> dict[Id, State]:
        """Return requests that lamp and button are about, the one that waits longest first."""
        return {row.id: row.state for row in ledger.requests_in(self._tx, OPEN)}

    # ---- start, time

    def start(self) -> None:
        """Go on with what was on its way, and begin to watch the clock."""
        for row in ledger.requests_in(self._tx, [State.UPLOADING, State.HANDED_OVER]):
            self._on_uploading(row.id)
        self._house.loop.every(LOOK_S, self.look_at_times)

    def look_at_times(self) -> None:
        """Let what has expired expire, and what was on its way for 72 hours end; by trusted UTC only."""
        reading = self._house.now()
        if not reading.trusted:
            return
        for row in ledger.requests_in(self._tx, [State.QUIET, State.PENDING, State.CONFIRMING, State.DECLINED]):
            if reading.utc_s >= row.exp_s:
                self.change(row, Event.EXPIRED)
        for row in ledger.requests_in(self._tx, [State.UPLOADING, State.HANDED_OVER]):
            if row.state_ms == NO_TIME:
                with self._house.db.transaction() as tx:
                    ledger.stamp(tx, row.id, reading.utc_ms)
            elif reading.utc_ms - row.state_ms >= WAIT_S * 1_000:
                self.change(row, Event.WAITED_OUT)

    # ---- changes of state

    def move(self, tx: sqlite3.Connection, row: RequestRow, event: Event, consent: Id | None = None) -> State:
        """Write the state that the table gives, with its log entry; inside the caller's transaction."""
        state = next_state(row.state, event)
        reading = self._house.now()
        # The 72 hours run by trusted UTC: without it they begin when it arrives.
        is_timed = reading.trusted or state not in {State.UPLOADING, State.HANDED_OVER}
        ledger.set_state(tx, row.id, state, reading.utc_ms if is_timed else NO_TIME, consent=consent)
        if state in _OVER:  # no approval stands any more
            sqlite_eviction.unpin(tx, row.id)
        if row.pending_ms is not None or state is State.PENDING:  # what never reached the owner leaves no diary
            self._house.log(tx, "state", {"request": row.id, "to": state.value})
            self._house.checkpoint(tx)
        elif state in FINAL:
            ledger.drop_request(tx, row.id)
        return state

    def moved(self, before: RequestRow, state: State) -> None:
        """Let timers, pages and uploads follow a change that is durable."""
        now = ledger.request(self._tx, before.id)
        if now is not None:  # a quiet one may have made room for a newer one
            self._on_move(now)
        if state is State.UPLOADING and before.state is not State.UPLOADING:
            self._on_uploading(before.id)
        elif before.state is State.UPLOADING and state is not State.HANDED_OVER:
            self._on_withdrawn(before.id)

    def change(self, row: RequestRow, event: Event) -> State:
        """Change a state, durably, and let everything follow."""
        with self._house.db.transaction() as tx:
            state = self.move(tx, row, event)
        self.moved(row, state)
        return state

    def uploaded(self, tx: sqlite3.Connection, row: RequestRow) -> State:
        """Write HANDED_OVER into the transaction that keeps the submission."""
        return self.move(tx, row, Event.UPLOADED)

    def delivered(self, row: RequestRow, receipt_sha256: str, receipt: bytes) -> None:
        """End a request with its verified receipt."""
        with self._house.db.transaction() as tx:
            sqlite_uploads.put_receipt(tx, row.id, receipt)
            self._house.log(tx, "receipt", {"request": row.id, "sha256": receipt_sha256})
            state = self.move(tx, row, Event.RECEIVED)
            sqlite_uploads.forget_uploads(tx, row.id)
        self.moved(row, state)

    # ---- arrival of what passed the checks

    def admit(
        self, tx: sqlite3.Connection, raw: bytes, request: Request, *, agency_name: str, passed: bool
    ) -> RequestRow:
        """Hold a request that passed 1-11, in the transaction that remembers its id.

        Args:
            tx: the open transaction; the caller calls `admitted` after it.
            raw: the envelope.
            request: its verified payload.
            agency_name: as the directory has it.
            passed: whether 12-15 passed too: then it becomes PENDING, else QUIET.
        """
        now_ms = self._house.now().utc_ms
        row = RequestRow(
            id=request.id,
            sha256=sha256_hex(parse_envelope(raw, counts=(2,)).payload),
            envelope=raw,
            agency=request.agency,
            agency_name=agency_name,
            case_number=request.case,
            incident=request.incident,
            from_s=request.from_s,
            to_s=request.to_s,
            exp_s=request.exp_s,
            received_ms=now_ms,
            pending_ms=None,
            state=State.UNSEEN,
            state_ms=now_ms,
            consent=None,
        )
        ledger.put_request(tx, row)
        if passed:
            self._house.log(tx, "request", {"id": row.id, "sha256": row.sha256})
        self.move(tx, row, Event.PASSED if passed else Event.HELD_BACK)
        ledger.trim_quiet(tx)
        return row

    def admitted(self, row: RequestRow, *, passed: bool) -> None:
        """Let everything follow what `admit` wrote."""
        self.moved(row, State.PENDING if passed else State.QUIET)
        if passed:
            self._house.publish("request", {"id": row.id})

    def pass_quiet(self, row: RequestRow) -> None:
        """Let a request that waited quietly reach the owner: 12-15 pass now."""
        with self._house.db.transaction() as tx:
            self._house.log(tx, "request", {"id": row.id, "sha256": row.sha256})
            state = self.move(tx, row, Event.PASSED)
        self.moved(row, state)
        self._house.publish("request", {"id": row.id})

    def cancel(self, request_id: Id) -> None:
        """Cancel a request, if its state still lets that happen."""
        row = ledger.request(self._tx, request_id)
        if row is not None and row.state in {State.QUIET, State.DECLINED, State.UPLOADING, *OPEN}:
            self.change(row, Event.CANCELLED)

    # ---- re-checks

    def recheck(self, row: RequestRow, *, uploading: bool = False) -> str | None:
        """Check a request again, as section 7 says; returns None, or the E or D code."""
        reading = self._house.now()
        code = check_again(
            row.envelope,
            view=self._directory.view,
            now_s=reading.utc_s,
            trusted=reading.trusted,
            owner=self._house.owner_limits(),
            uploading=uploading,
        ).code
        return None if code == "OK" else code

    def recheck_all(self) -> None:
        """Cancel what a changed directory no longer bears: an agency suspended, a key revoked."""
        states = [State.QUIET, State.DECLINED, State.UPLOADING, *OPEN]
        for row in ledger.requests_in(self._tx, states):
            code = self.recheck(row, uploading=True)  # times and limits are for the moments that section 7 names
            if code is not None and code.startswith("E_"):
                self.change(row, Event.CANCELLED)
