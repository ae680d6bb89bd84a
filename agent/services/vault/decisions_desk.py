"""The owner's word and what it may do: decisions, the button's press, grace, and the release (section 11).

Nothing here decides for the owner. A consent is checked, made durable with its log entry, and after the grace time
everything is checked again; only then is there a `Release`, and it is for one attempt.
"""

from collections.abc import Callable
from typing import Final

from agent.buffer import sqlite_eviction, sqlite_store
from agent.consent import sqlite_ledger as ledger
from agent.consent.button import Gesture, Meaning, Pattern, meaning, pattern
from agent.consent.consent_form import Channel, Decision, RequestRef, parse_consent
from agent.consent.consents import Consent, add_press, check_consent, recall_consent
from agent.consent.console import make_console_consent
from agent.consent.decision_facts import DecisionFacts, RecheckError, StandingDecline
from agent.consent.release import NotYetError, Release, Standing, event_for, release
from agent.consent.sqlite_ledger import ConsentRow, RequestRow
from agent.consent.states import STOPPABLE, Event, State
from agent.core.envelope import MAX_CONSENT_BYTES, parse_envelope
from agent.core.errors import BugError, DoorbellError, RefusedError
from agent.core.ids import Id
from agent.services.reasons import bug_met
from agent.services.vault.directory_desk import DirectoryDesk
from agent.services.vault.house import House
from agent.services.vault.loop import Timer
from agent.services.vault.requests_desk import RequestsDesk
from agent.services.vault.store_desk import StoreDesk, ref

CONFIRM_S: Final = 120.0  # section 11
AGAIN_S: Final = 15.0  # how soon a release that had to wait is tried again
_NS: Final = 1_000_000_000

Answer = Callable[[State | DoorbellError | BugError], None]


class DecisionsDesk:
    """Takes decisions and runs what has a time limit: CONFIRMING and GRACE.

    Args:
        house: what the vault shares.
        store: what is recorded.
        directory: who is who.
        requests: holds the states.
    """

    def __init__(self, house: House, store: StoreDesk, directory: DirectoryDesk, requests: RequestsDesk) -> None:
        self._house = house
        self._tx = house.db.tx
        self._store = store
        self._directory = directory
        self._requests = requests
        self._timers: dict[Id, Timer] = {}
        self._grace_since_ns: dict[Id, int] = {}
        requests.on_move(self._moved)

    def start(self) -> None:
        """Do what section 12 says after a restart: CONFIRMING falls back, GRACE starts again in full."""
        for row in ledger.requests_in(self._tx, [State.CONFIRMING]):
            self._requests.change(row, Event.RESTARTED)
        for row in ledger.requests_in(self._tx, [State.GRACE]):
            self._begin_grace(row.id)

    def seconds_left(self, row: RequestRow) -> int | None:
        """Return how long CONFIRMING or GRACE still lasts."""
        timer = self._timers.get(row.id)
        if timer is None or row.state not in {State.CONFIRMING, State.GRACE}:
            return None
        return max(0, -(-(timer.due_ns - self._house.now().boot_ns) // _NS))

    def tell_waiting(self) -> None:
        """Tell the pages once more of what waits with a time limit, for a page that has just come."""
        for row in ledger.requests_in(self._tx, [State.CONFIRMING, State.GRACE]):
            self._tell(row)

    def _tell(self, row: RequestRow) -> None:
        seconds = self.seconds_left(row)
        extra = {} if seconds is None else {"seconds": seconds}
        self._house.publish("state", {"id": row.id, "state": row.state.value, **extra})

    def _moved(self, row: RequestRow) -> None:
        """Let timers and pages follow a change that is durable; `row` is how the request is now."""
        timer = self._timers.pop(row.id, None)
        if timer is not None:
            timer.cancel()
        self._grace_since_ns.pop(row.id, None)
        if row.state is State.GRACE:
            self._begin_grace(row.id)
        elif row.state is State.CONFIRMING:
            self._timers[row.id] = self._house.loop.after(CONFIRM_S, lambda: self._confirm_over(row.id))
        if row.pending_ms is not None:
            self._tell(row)

    # ---- decisions

    def _ref(self, row: RequestRow) -> RequestRef:
        request = self._requests.parsed(row)
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
            recheck=lambda: self._requests.recheck(row),
        )

    def decide(self, request_id: object, raw: bytes, answer: Answer) -> None:
        """Take a phone's consent; the answer comes when a directory of more than an hour was refreshed.

        Raises:
            RefusedError: NOT_FOUND.
        """
        row = self._requests.row(request_id)

        def check() -> None:
            self._answer(row.id, answer, lambda now: check_consent(raw, self._facts(now)))

        if _shares(raw):
            self._directory.when_ready(row.agency, check)
        else:
            check()

    def decide_at_console(self, request_id: object, decision: Decision, answer: Answer) -> None:
        """Decide by the button's key. No gesture of the button does so alone: it only confirms or stops.

        Raises:
            RefusedError: NOT_FOUND.
        """
        row = self._requests.row(request_id)
        keys = self._house.keys.button

        def make(now: RequestRow) -> Consent:
            stanzas = {
                one.id: sealed
                for one in self._store.matching(now.from_s, now.to_s)
                if (sealed := sqlite_store.stanza(self._tx, keys.open_kid, one.i)) is not None
            }
            return make_console_consent(
                self._facts(now), keys, decision=decision, channel=Channel.CONSOLE, stanzas=stanzas
            )

        def check() -> None:
            self._answer(row.id, answer, make)

        if decision is Decision.SHARE:
            self._directory.when_ready(row.agency, check)
        else:
            check()

    def _answer(self, request_id: Id, answer: Answer, make: Callable[[RequestRow], Consent]) -> None:
        try:
            row = self._requests.row(request_id)
            try:
                consent = make(row)
            except RecheckError:
                self._requests.change(row, Event.CANCELLED)
                raise
            state = self._accept(row, consent)
        except DoorbellError as error:
            answer(error)
        except Exception as bug:  # noqa: BLE001 - after the directory came nobody is there to be raised to
            answer(bug_met("a decision", bug))
        else:
            answer(state)

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
            state = self._requests.move(tx, row, event, form.id)
            if form.shares:
                sqlite_eviction.pin(tx, [grant.segment.id for grant in form.grants], row.id)
        self._house.nonces.use(form.nonce)
        self._requests.moved(row, state)
        return state

    def stop(self, request_id: object) -> State:
        """Stop a request that waits for the button, is in its grace time, or is being uploaded.

        Raises:
            RefusedError: NOT_FOUND, C_STATE.
        """
        row = self._requests.row(request_id)
        if row.state not in STOPPABLE:
            raise RefusedError("C_STATE", f"the request is {row.state.value}: there is nothing to stop")
        return self._requests.change(row, Event.STOPPED)

    # ---- button and lamp

    def gesture(self, what: Gesture) -> bool:
        """Do what a gesture of the indoor button means now; True when it asks for a pairing window."""
        order = meaning(what, self._requests.waiting())
        if order is None:
            return False
        if order.meaning is Meaning.OPEN_PAIRING:
            return True
        for request_id in order.requests:
            if order.meaning is Meaning.STOP:
                self.stop(request_id)
            else:
                self._press(self._requests.row(request_id))
        return False

    def _press(self, row: RequestRow) -> None:
        """Add the button's signature to the consent that waits for it."""
        if row.state is not State.CONFIRMING or row.consent is None:
            return
        try:
            consent = self.standing_consent(row)
        except RefusedError as refused:  # its approver was unpaired since
            self.give_up(row, refused)
            return
        pressed = add_press(consent, self._house.keys.button.sign_key)
        with self._house.db.transaction() as tx:
            ledger.confirm_consent(tx, pressed.form.id, pressed.raw)
            state = self._requests.move(tx, row, Event.PRESSED)
        self._requests.moved(row, state)

    def lamp(self, *, is_pairing: bool) -> Pattern:
        """Return how the lamp lights now."""
        return pattern(self._requests.waiting(), is_pairing=is_pairing, is_quiet=self._house.is_quiet_time())

    def _confirm_over(self, request_id: Id) -> None:
        row = ledger.request(self._tx, request_id)
        if row is not None and row.state is State.CONFIRMING:
            self._requests.change(row, Event.CONFIRM_TIMED_OUT)

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
        recheck = self._requests.recheck(row, uploading=uploading)
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
        self._requests.change(row, event_for(refused))

    def _grace_over(self, request_id: Id) -> None:
        row, since_ns = ledger.request(self._tx, request_id), self._grace_since_ns.get(request_id)
        if row is not None and row.state is State.GRACE:
            self._directory.when_ready(row.agency, lambda: self._release(request_id, since_ns))

    def _release(self, request_id: Id, since_ns: int | None) -> None:
        row = ledger.request(self._tx, request_id)
        if row is None or row.state is not State.GRACE or self._grace_since_ns.get(request_id) != since_ns:
            return  # stopped meanwhile; if it was shared again, that grace time has a timer of its own
        try:
            self.release(row)
        except NotYetError:
            self._timers[request_id] = self._house.loop.after(AGAIN_S, lambda: self._grace_over(request_id))
        except RefusedError as refused:
            self.give_up(row, refused)
        else:
            self._requests.change(row, Event.GRACE_PASSED)


def _shares(raw: bytes) -> bool:
    """Say whether an unverified consent would be a share: only that is worth a fetch before the checks."""
    try:
        envelope = parse_envelope(raw, counts=(1,), max_bytes=MAX_CONSENT_BYTES, max_payload=MAX_CONSENT_BYTES)
        return parse_consent(envelope.payload).shares
    except RefusedError:
        return False
