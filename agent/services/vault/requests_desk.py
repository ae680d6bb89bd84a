"""The life of each request: arrival, the owner's decision, grace, stop, cancel, expiry (sections 7, 8, 11, 12).

Rules of this room:

1. State, log entry and what the effect will need are one durable transaction; the effect comes after it.
2. Every change of state goes through `_move`, which asks the table.
3. Nothing here approves. What leaves the house is for `uploads`, and only a `Release` lets it.
"""

import sqlite3
from collections.abc import Callable

from agent.buffer import sqlite_eviction, sqlite_store
from agent.consent import sqlite_ledger as ledger
from agent.consent.button import Gesture, Meaning, Pattern, meaning, pattern
from agent.consent.checks import check_again
from agent.consent.consent_form import Channel, Decision, RequestRef, parse_consent
from agent.consent.consents import Consent, add_press, check_consent, recall_consent
from agent.consent.console import make_console_consent
from agent.consent.decision_facts import DecisionFacts, RecheckError, StandingDecline
from agent.consent.release import NotYetError, Release, Standing, event_for, release
from agent.consent.request import Request, parse_request
from agent.consent.sqlite_ledger import ConsentRow, RequestRow
from agent.consent.states import OPEN, STOPPABLE, Event, State, next_state
from agent.core.envelope import MAX_CONSENT_BYTES, parse_envelope
from agent.core.errors import DoorbellError, RefusedError
from agent.core.ids import Id, sha256_hex
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.house import House
from agent.services.vault.loop import Timer
from agent.services.vault.store_desk import StoreDesk, ref

CONFIRM_S = 120.0  # section 11
WAIT_S = 72 * 3_600  # section 12
AGAIN_S = 15.0  # how soon a release that had to wait is tried again
_NS = 1_000_000_000

Answer = Callable[[State | DoorbellError], None]


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
        self._timers: dict[Id, Timer] = {}
        self._grace_since_ns: dict[Id, int] = {}
        self._on_uploading: Callable[[Id], None] = lambda _: None
        self._on_withdrawn: Callable[[Id], None] = lambda _: None

    def on_effects(self, uploading: Callable[[Id], None], withdrawn: Callable[[Id], None]) -> None:
        """Call these after a request became UPLOADING, or left it without being handed over."""
        self._on_uploading = uploading
        self._on_withdrawn = withdrawn

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
            if len(self._parsed) > 64:  # noqa: PLR2004 - a cache for what is on the screen
                self._parsed.clear()
            self._parsed[row.id] = request
        return request

    def live_agencies(self) -> set[str]:
        """Return the agencies of requests that may still change."""
        states = [State.QUIET, State.UPLOADING, State.DECLINED, *OPEN]
        return {row.agency for row in ledger.requests_in(self._tx, states)}

    def waiting(self) -> dict[Id, State]:
        """Return requests that lamp and button are about, the one that waits longest first."""
        return {row.id: row.state for row in ledger.requests_in(self._tx, OPEN)}

    def seconds_left(self, row: RequestRow) -> int | None:
        """Return how long CONFIRMING or GRACE still lasts."""
        timer = self._timers.get(row.id)
        if timer is None or row.state not in {State.CONFIRMING, State.GRACE}:
            return None
        return max(0, -(-(timer.due_ns - self._house.now().boot_ns) // _NS))

    def tell_waiting(self) -> None:
        """Tell the pages once more of what waits with a time limit, for a page that has just come."""
        for row in ledger.requests_in(self._tx, [State.CONFIRMING, State.GRACE]):
            seconds = self.seconds_left(row)
            if seconds is not None:
                self._house.publish("state", {"id": row.id, "state": row.state.value, "seconds": seconds})

    # ---- start, time

    def start(self) -> None:
        """Do what section 12 says after a restart, and begin to watch the clock."""
        for row in ledger.requests_in(self._tx, [State.CONFIRMING]):
            self._change(row, Event.RESTARTED)
        for row in ledger.requests_in(self._tx, [State.GRACE]):
            self._begin_grace(row.id)
        for row in ledger.requests_in(self._tx, [State.UPLOADING, State.HANDED_OVER]):
            self._on_uploading(row.id)
        self._house.loop.every(5.0, self.look_at_times)

    def look_at_times(self) -> None:
        """Let what has expired expire, and what was on its way for 72 hours end; by trusted UTC only."""
        reading = self._house.now()
        if not reading.trusted:
            return
        for row in ledger.requests_in(self._tx, [State.QUIET, State.PENDING, State.CONFIRMING, State.DECLINED]):
            if reading.utc_s >= row.exp_s:
                self._change(row, Event.EXPIRED)
        for row in ledger.requests_in(self._tx, [State.UPLOADING, State.HANDED_OVER]):
            if reading.utc_ms - row.state_ms >= WAIT_S * 1_000:
                self._change(row, Event.WAITED_OUT)

    # ---- changes of state

    def _move(self, tx: sqlite3.Connection, row: RequestRow, event: Event, consent: Id | None = None) -> State:
        """Write the state that the table gives, with its log entry; inside the caller's transaction."""
        state = next_state(row.state, event)
        ledger.set_state(tx, row.id, state, self._house.now().utc_ms, consent=consent)
        if state in {State.PENDING, State.DECLINED, State.EXPIRED, State.CANCELLED, State.WITHDRAWN} or (
            state in {State.DELIVERED, State.UNCONFIRMED, State.FAILED}
        ):
            sqlite_eviction.unpin(tx, row.id)
        if row.pending_ms is not None or state is State.PENDING:  # what never reached the owner leaves no diary
            self._house.log(tx, "state", {"request": row.id, "to": state.value})
            self._house.checkpoint(tx)
        return state

    def moved(self, row: RequestRow, state: State) -> None:
        """Let timers, lamp and pages follow a change that is durable."""
        timer = self._timers.pop(row.id, None)
        if timer is not None:
            timer.cancel()
        if state is State.GRACE:
            self._begin_grace(row.id)
        else:
            self._grace_since_ns.pop(row.id, None)
        if state is State.CONFIRMING:
            self._timers[row.id] = self._house.loop.after(CONFIRM_S, lambda: self._confirm_over(row.id))
        if row.pending_ms is not None or state is State.PENDING:
            seconds = self.seconds_left(self.row(row.id))
            extra = {} if seconds is None else {"seconds": seconds}
            self._house.publish("state", {"id": row.id, "state": state.value, **extra})
        if state is State.UPLOADING and row.state is not State.UPLOADING:
            self._on_uploading(row.id)
        elif row.state is State.UPLOADING and state is not State.HANDED_OVER:
            self._on_withdrawn(row.id)

    def _change(self, row: RequestRow, event: Event) -> State:
        with self._house.db.transaction() as tx:
            state = self._move(tx, row, event)
        self.moved(row, state)
        return state

    def uploaded(self, tx: sqlite3.Connection, row: RequestRow) -> State:
        """Write HANDED_OVER into the transaction that keeps the submission."""
        return self._move(tx, row, Event.UPLOADED)

    def delivered(self, row: RequestRow, receipt_sha256: str, receipt: bytes) -> None:
        """End a request with its verified receipt."""
        with self._house.db.transaction() as tx:
            ledger.put_receipt(tx, row.id, receipt)
            self._house.log(tx, "receipt", {"request": row.id, "sha256": receipt_sha256})
            state = self._move(tx, row, Event.RECEIVED)
            ledger.forget_uploads(tx, row.id)
        self.moved(row, state)

    # ---- arrival of what passed the checks

    def admit(self, raw: bytes, request: Request, sha256: str, agency_name: str, *, passed: bool) -> None:
        """Hold a request that passed 1-11: PENDING where it passed 12-15 too, else QUIET."""
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
        with self._house.db.transaction() as tx:
            ledger.put_request(tx, row)
            if passed:
                self._house.log(tx, "request", {"id": row.id, "sha256": sha256})
            state = self._move(tx, row, Event.PASSED if passed else Event.HELD_BACK)
        self.moved(row, state)
        if passed:
            self._house.publish("request", {"id": row.id})

    def pass_quiet(self, row: RequestRow) -> None:
        """Let a request that waited quietly reach the owner: 12-15 pass now."""
        with self._house.db.transaction() as tx:
            self._house.log(tx, "request", {"id": row.id, "sha256": row.sha256})
            state = self._move(tx, row, Event.PASSED)
        self.moved(row, state)
        self._house.publish("request", {"id": row.id})

    def cancel(self, request_id: Id) -> None:
        """Cancel a request, if its state still lets that happen."""
        row = ledger.request(self._tx, request_id)
        if row is not None and row.state in {State.QUIET, State.DECLINED, State.UPLOADING, *OPEN}:
            self._change(row, Event.CANCELLED)

    # ---- re-checks

    def _recheck(self, row: RequestRow, *, uploading: bool = False) -> str | None:
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
            code = self._recheck(row, uploading=True)  # times and limits are for the moments that section 7 names
            if code is not None and code.startswith("E_"):
                self._change(row, Event.CANCELLED)

    # ---- decisions

    def _ref(self, row: RequestRow) -> RequestRef:
        request = self.parsed(row)
        return RequestRef(
            id=row.id, sha256=row.sha256, agency=row.agency, enc_pub=request.enc_pub, endpoint=request.ep
        )

    def _facts(self, row: RequestRow) -> DecisionFacts:
        reading = self._house.now()
        declined = None
        if row.state is State.DECLINED and row.consent is not None:
            standing = ledger.consent(self._tx, row.consent)
            declined = None if standing is None else StandingDecline(standing.id, standing.approver)
        return DecisionFacts(
            state=row.state,
            request=self._ref(row),
            segments=[ref(one) for one in self._store.matching(row.from_s, row.to_s)],
            phones=self._house.approvers(),
            button_pub=self._house.keys.button_pub,
            nonces=self._house.nonces,
            declined=declined,
            now_ns=reading.boot_ns,
            now_s=reading.utc_s,
            trusted=reading.trusted,
            timestamp_fresh=self._directory.timestamp_fresh(reading.utc_s),
            approvals_today=ledger.shares_since(self._tx, reading.utc_ms - ledger.DAY_MS),
            daily_approvals=self._house.daily_approvals,
            recheck=lambda: self._recheck(row),
        )

    def decide(self, request_id: object, raw: bytes, answer: Answer) -> None:
        """Take a phone's consent; the answer comes when a directory of more than an hour was refreshed.

        Raises:
            RefusedError: NOT_FOUND.
        """
        row = self.row(request_id)

        def check() -> None:
            self._answer(row.id, answer, lambda now: check_consent(raw, self._facts(now)))

        if _shares(raw):
            self._directory.when_ready(row.agency, check)
        else:
            check()

    def decide_here(
        self, request_id: object, decision: Decision, channel: Channel, chosen: list[Id] | None, answer: Answer
    ) -> None:
        """Decide by the button's key, at the console or by the button.

        Raises:
            RefusedError: NOT_FOUND.
        """
        row = self.row(request_id)
        keys = self._house.keys.button

        def make(now: RequestRow) -> Consent:
            stanzas = {
                one.id: sealed
                for one in self._store.matching(now.from_s, now.to_s)
                if (sealed := sqlite_store.stanza(self._tx, keys.open_kid, one.i)) is not None
            }
            facts = self._facts(now)
            return make_console_consent(
                facts, keys, decision=decision, channel=channel, stanzas=stanzas, chosen=chosen
            )

        def check() -> None:
            self._answer(row.id, answer, make)

        if decision is Decision.SHARE:
            self._directory.when_ready(row.agency, check)
        else:
            check()

    def _answer(self, request_id: Id, answer: Answer, make: Callable[[RequestRow], Consent]) -> None:
        try:
            row = self.row(request_id)
            try:
                consent = make(row)
            except RecheckError:
                self._change(row, Event.CANCELLED)
                raise
            answer(self._accept(row, consent))
        except DoorbellError as error:
            answer(error)

    def _accept(self, row: RequestRow, consent: Consent) -> State:
        """Make a checked consent durable, with its log entry and the state that follows."""
        form = consent.form
        if ledger.consent(self._tx, form.id) is not None:
            raise RefusedError("C_STATE", "a consent of this id was taken before")
        if not form.shares:
            event = Event.DECLINED
        elif self._house.button_required and not consent.button_signed:
            event = Event.SHARED_TO_CONFIRM
        else:
            event = Event.SHARED
        with self._house.db.transaction() as tx:
            number = self._house.log(tx, "consent", {"request": row.id, "sha256": consent.payload_sha256})
            ledger.put_consent(
                tx,
                ConsentRow(
                    id=form.id,
                    request=row.id,
                    decision=form.decision.value,
                    approver=form.approver,
                    envelope=consent.raw,
                    at_ms=self._house.now().utc_ms,
                    log_n=number,
                ),
            )
            state = self._move(tx, row, event, form.id)
            if form.shares:
                sqlite_eviction.pin(tx, [grant.segment.id for grant in form.grants], row.id)
        self._house.nonces.use(form.nonce)
        self.moved(row, state)
        return state

    def stop(self, request_id: object) -> State:
        """Stop a request that waits for the button, is in its grace time, or is being uploaded.

        Raises:
            RefusedError: NOT_FOUND, C_STATE.
        """
        row = self.row(request_id)
        if row.state not in STOPPABLE:
            raise RefusedError("C_STATE", f"the request is {row.state.value}: there is nothing to stop")
        return self._change(row, Event.STOPPED)

    # ---- button and lamp

    def gesture(self, what: Gesture) -> bool:
        """Do what a gesture of the indoor button means now; True when it asks for a pairing window."""
        order = meaning(what, self.waiting())
        if order is None:
            return False
        if order.meaning is Meaning.OPEN_PAIRING:
            return True
        for request_id in order.requests:
            if order.meaning is Meaning.STOP:
                self.stop(request_id)
            else:
                self._press(self.row(request_id))
        return False

    def _press(self, row: RequestRow) -> None:
        """Add the button's signature to the consent that waits for it."""
        if row.state is not State.CONFIRMING or row.consent is None:
            return
        consent = self.standing_consent(row)
        pressed = add_press(consent, self._house.keys.button.sign_key)
        with self._house.db.transaction() as tx:
            ledger.confirm_consent(tx, pressed.form.id, pressed.raw)
            state = self._move(tx, row, Event.PRESSED)
        self.moved(row, state)

    def lamp(self, *, is_pairing: bool, minute_of_day: int) -> Pattern:
        """Return how the lamp lights now."""
        quiet = self._house.settings.is_quiet(minute_of_day)
        return pattern(self.waiting(), is_pairing=is_pairing, is_quiet=quiet)

    def _confirm_over(self, request_id: Id) -> None:
        row = ledger.request(self._tx, request_id)
        if row is not None and row.state is State.CONFIRMING:
            self._change(row, Event.CONFIRM_TIMED_OUT)

    # ---- grace and release

    def _begin_grace(self, request_id: Id) -> None:
        self._grace_since_ns[request_id] = self._house.now().boot_ns
        grace_s = float(self._house.config.consent.grace_s)
        self._timers[request_id] = self._house.loop.after(grace_s, lambda: self._grace_over(request_id))

    def standing_consent(self, row: RequestRow) -> Consent:
        """Verify the consent that stands for a request once more.

        Raises:
            RefusedError: it does not hold any more.
        """
        kept = None if row.consent is None else ledger.consent(self._tx, row.consent)
        if kept is None:
            raise RefusedError("C_STATE", "no consent stands")
        return recall_consent(
            kept.envelope, phones=self._house.approvers(), button_pub=self._house.keys.button_pub
        )

    def release(self, row: RequestRow) -> Release:
        """Return the permission that the standing consent makes right now, checked anew.

        Raises:
            NotYetError: wait. RefusedError: it is over; see `give_up`.
        """
        uploading = row.state is State.UPLOADING
        reading = self._house.now()
        recheck = self._recheck(row, uploading=uploading)
        if recheck is None and not uploading and not self._directory.timestamp_fresh(reading.utc_s):
            recheck = "D_DIRECTORY"
        return release(
            self.standing_consent(row),
            Standing(
                state=row.state,
                request=self._ref(row),
                segments=[ref(one) for one in self._store.matching(row.from_s, row.to_s)],
                phones=self._house.approvers(),
                button_pub=self._house.keys.button_pub,
                button_required=self._house.button_required,
                recheck=recheck,
                grace_since_ns=self._grace_since_ns.get(row.id),
                grace_ns=self._house.config.consent.grace_s * _NS,
                now_ns=reading.boot_ns,
            ),
        )

    def give_up(self, row: RequestRow, refused: RefusedError) -> None:
        """Do what a refused release means: the request is cancelled, or its consent is stopped."""
        self._change(row, event_for(refused))

    def _grace_over(self, request_id: Id) -> None:
        row = ledger.request(self._tx, request_id)
        if row is not None and row.state is State.GRACE:
            self._directory.when_ready(row.agency, lambda: self._release(request_id))

    def _release(self, request_id: Id) -> None:
        row = ledger.request(self._tx, request_id)
        if row is None or row.state is not State.GRACE:
            return  # stopped meanwhile
        try:
            self.release(row)
        except NotYetError:
            self._timers[request_id] = self._house.loop.after(AGAIN_S, lambda: self._grace_over(request_id))
        except RefusedError as refused:
            self.give_up(row, refused)
        else:
            self._change(row, Event.GRACE_PASSED)


def _shares(raw: bytes) -> bool:
    """Say whether an unverified consent would be a share: only that is worth a fetch before the checks."""
    try:
        envelope = parse_envelope(raw, counts=(1,), max_bytes=MAX_CONSENT_BYTES, max_payload=MAX_CONSENT_BYTES)
        return parse_consent(envelope.payload).shares
    except RefusedError:
        return False
