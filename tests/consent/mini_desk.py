"""The smallest desk that the consent room's parts make: one request, in memory, nothing durable.

It exists to drive the real table, checks, nonces, button and release together without the vault around them.
"""

from dataclasses import dataclass, field, replace

from agent.consent.actions import (
    ActionFacts,
    Admit,
    ChangeSettings,
    Unpair,
    check_action,
)
from agent.consent.button import INDOOR, Button, Gesture, Meaning, meaning
from agent.consent.consents import Consent, add_press, check_consent
from agent.consent.decision_facts import DecisionFacts, RecheckError, StandingDecline
from agent.consent.nonces import Nonces
from agent.consent.phones import Phone, PhoneState
from agent.consent.release import NotYetError, Release, Standing, event_for, release
from agent.consent.settings import Settings, approvals_of, changed
from agent.consent.states import OPEN, TABLE, Event, State, next_state
from agent.core.errors import RefusedError
from agent.core.ids import Kid
from agent.core.keys import raw_public
from tests.fakes.consent_house import ANNA, BEN, BUTTON, GUEST, LOST, NOW_NS, NOW_S, REQUEST, SEGMENTS

GRACE_NS = 60 * 10**9
CONFIRM_NS = 120 * 10**9


@dataclass
class MiniDesk:
    """One request from its arrival to its end; `now_ns` is boot time."""

    button_required: bool
    settings: Settings = field(default_factory=lambda: Settings(requests_enabled=True))
    now_ns: int = NOW_NS
    state: State = State.PENDING
    consent: Consent | None = None
    declined: StandingDecline | None = None
    since_ns: int | None = None
    approvals: int = 0
    recheck: str | None = None
    trusted: bool = True
    nonces: Nonces = field(default_factory=Nonces)
    button: Button = field(default_factory=lambda: Button(INDOOR))
    releases: list[Release] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.phones: dict[Kid, Phone] = {phone.kid: phone.known for phone in (ANNA, BEN, GUEST, LOST)}
        self.segments = list(SEGMENTS)

    def _move(self, event: Event) -> None:
        self.state = next_state(self.state, event)
        self.since_ns = self.now_ns

    def facts(self) -> DecisionFacts:
        return DecisionFacts(
            state=self.state,
            request=REQUEST,
            segments=self.segments,
            phones=self.phones,
            button_pub=raw_public(BUTTON.sign_key),
            nonces=self.nonces,
            declined=self.declined,
            now_ns=self.now_ns,
            now_s=NOW_S,
            trusted=self.trusted,
            timestamp_fresh=True,
            approvals_today=self.approvals,
            daily_approvals=approvals_of(self.settings, daily_approvals=20),
            recheck=lambda: self.recheck,
        )

    def decide(self, raw: bytes) -> str:
        try:
            consent = check_consent(raw, self.facts())
        except RecheckError as refused:
            self._move(Event.CANCELLED)
            return refused.code
        except RefusedError as refused:
            return refused.code
        self.nonces.use(consent.form.nonce)
        if not consent.form.shares:
            self.declined = StandingDecline(consent.form.id, consent.form.approver)
            self.consent = None
            self._move(Event.DECLINED)
            return "OK"
        self.consent, self.declined = consent, None
        self.approvals += 1
        waits = self.button_required and not consent.button_signed
        self._move(Event.SHARED_TO_CONFIRM if waits else Event.SHARED)
        return "OK"

    def act(self, raw: bytes) -> str:
        facts = ActionFacts(
            phones=self.phones, nonces=self.nonces, now_ns=self.now_ns, has_clip=lambda _clip: True
        )
        try:
            action = check_action(raw, facts)
        except RefusedError as refused:
            return refused.code
        self.nonces.use(action.nonce)
        if isinstance(action.verb, Admit | Unpair):
            state = PhoneState.ADMITTED if isinstance(action.verb, Admit) else PhoneState.UNPAIRED
            other = action.verb.phone
            self.phones[other] = replace(self.phones[other], state=state)
        elif isinstance(action.verb, ChangeSettings):
            self.settings = changed(self.settings, action.verb.change)
        return "OK"

    def gesture(self, gesture: Gesture) -> None:
        order = meaning(gesture, {REQUEST.id: self.state})
        if order is None or order.meaning is Meaning.OPEN_PAIRING:
            return
        if order.meaning is Meaning.STOP:
            self.stop()
        elif self.consent is not None:
            self.consent = add_press(self.consent, BUTTON.sign_key)
            self._move(Event.PRESSED)

    def stop(self) -> None:
        if (self.state, Event.STOPPED) in TABLE:
            self.consent = None
            self._move(Event.STOPPED)

    def contact(self, *, closed: bool) -> None:
        for gesture in self.button.edge(closed=closed, now_ns=self.now_ns):
            self.gesture(gesture)

    def wait(self, later_ns: int) -> None:
        self.now_ns += later_ns
        for gesture in self.button.tick(self.now_ns):
            self.gesture(gesture)
        since = self.since_ns
        if self.state is State.CONFIRMING and since is not None and self.now_ns - since >= CONFIRM_NS:
            self.consent = None
            self._move(Event.CONFIRM_TIMED_OUT)
        self._try_to_release()

    def _try_to_release(self) -> None:
        if self.consent is None or self.state not in {State.GRACE, State.UPLOADING}:
            return
        standing = Standing(
            state=self.state,
            request=REQUEST,
            segments=self.segments,
            phones=self.phones,
            button_pub=raw_public(BUTTON.sign_key),
            button_required=self.button_required,
            recheck=self.recheck,
            grace_since_ns=self.since_ns,
            grace_ns=GRACE_NS,
            now_ns=self.now_ns,
        )
        try:
            permission = release(self.consent, standing)
        except NotYetError:
            return
        except RefusedError as refused:
            self.consent = None
            self._move(event_for(refused))
            return
        if self.state is State.GRACE:
            self._move(Event.GRACE_PASSED)
        self.releases.append(permission)

    def restart(self) -> None:
        """Everything that lives in RAM is gone; the request, the consent and the phones are durable."""
        self.nonces = Nonces()
        self.button = Button(INDOOR)
        if (self.state, Event.RESTARTED) in TABLE:
            if self.state is State.CONFIRMING:
                self.consent = None
            self._move(Event.RESTARTED)

    def cancel(self) -> None:
        if (self.state, Event.CANCELLED) in TABLE:
            self.consent = None
            self._move(Event.CANCELLED)

    def is_open(self) -> bool:
        return self.state in OPEN
