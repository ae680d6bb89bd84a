"""There is no setting, request field, directory entry, gesture or accident that approves without the owner.

Two properties over random worlds. First: whoever lacks an admitted phone's key and the button's key never gets a
share accepted, whatever the facts. Second, a state machine: a release exists only for a share that an admitted
phone or the console signed, that nobody stopped, declined or called off since, a whole grace time ago.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.consent.button import Gesture, meaning
from agent.consent.consent_form import Channel, Decision
from agent.consent.consents import check_consent
from agent.consent.console import make_console_consent
from agent.consent.decision_facts import DecisionFacts, StandingDecline
from agent.consent.limits_of_owner import CEILINGS
from agent.consent.settings import NAMES
from agent.consent.states import State
from agent.core.errors import RefusedError
from tests.consent.mini_desk import GRACE_NS, MiniDesk
from tests.fakes.consent_house import (
    ANNA,
    BEN,
    BUTTON,
    GUEST,
    LOST,
    NOW_S,
    REQUEST,
    SEGMENTS,
    STRANGER,
    House,
    TestPhone,
    an_id,
    button_stanzas,
    envelope,
)

PHONES = [ANNA, BEN, GUEST, LOST, STRANGER]
MINUTES = st.integers(0, 30).map(lambda minutes: minutes * 10 * 10**9)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "requests_enabled": st.booleans(),
        "alerts": st.booleans(),
        "muted_agencies": st.lists(st.sampled_from(["us-ca-examplepd", "us-ca-other"]), unique=True),
        "cell_precision": st.sampled_from([3, 4, None]),
        "max_window_s": st.one_of(st.none(), st.integers(1, CEILINGS.window_s)),
        "max_area_m2": st.one_of(st.none(), st.integers(65_000, CEILINGS.area_m2)),
        "max_lookback_days": st.one_of(st.none(), st.integers(1, 30)),
        "daily_approvals": st.one_of(st.none(), st.integers(1, 20)),
        "quiet_hours": st.one_of(st.none(), st.just([0, 1439])),
    },
)


@st.composite
def facts(draw: st.DrawFn, house: House) -> DecisionFacts:
    """Any facts whatever."""
    declined = draw(st.sampled_from([None, *[StandingDecline(an_id("no"), phone.kid) for phone in PHONES]]))
    return house.facts(
        state=draw(st.sampled_from(State)),
        declined=declined,
        trusted=draw(st.booleans()),
        timestamp_fresh=draw(st.booleans()),
        approvals_today=draw(st.integers(0, 5)),
        daily_approvals=draw(st.integers(0, 20)),
        recheck=draw(st.sampled_from([lambda: None, lambda: "E_KEY", lambda: "D_CLOCK"])),
        segments=draw(st.lists(st.sampled_from(SEGMENTS), unique=True)),
    )


@given(st.data())
def test_whoever_lacks_an_admitted_key_never_gets_a_share_accepted(data: st.DataObject) -> None:
    house = House()
    known = data.draw(facts(house))
    named = data.draw(st.sampled_from([phone.kid for phone in PHONES] + [BUTTON.kid]))
    signer = data.draw(st.sampled_from([GUEST, LOST, STRANGER]))
    change: dict[str, Any] = {
        "approver": named,
        "channel": data.draw(st.sampled_from(["phone", "button", "console"])),
        "prev": data.draw(st.sampled_from([None, an_id("no")])),
        "nonce": house.nonces.issue(named, REQUEST.id, known.now_ns),
    }
    raw = envelope(house.payload(**change), signer.sign_key)
    try:
        check_consent(raw, known)
    except RefusedError:
        return
    raise AssertionError("a share was accepted that no approver signed")


@given(st.data())
def test_a_share_is_accepted_only_when_every_fact_allows_it(data: st.DataObject) -> None:
    """The checks compared with one plain sentence, for an approver who signs whatever is asked."""
    house = House()
    known = data.draw(facts(house))
    phone = data.draw(st.sampled_from(PHONES))
    prev = data.draw(st.sampled_from([None, an_id("no")]))
    try:
        check_consent(house.consent(phone, prev=prev), known)
        accepted = True
    except RefusedError:
        accepted = False
    own = known.declined is not None and known.declined.approver == phone.kid
    wanted = (
        phone in {ANNA, BEN}
        and (
            (known.state is State.PENDING and prev is None)
            or (known.state is State.DECLINED and own and prev is not None)
        )
        and known.recheck() is None
        and known.timestamp_fresh
        and known.trusted
        and set(known.segments) == set(SEGMENTS)
        and known.approvals_today < known.daily_approvals
    )
    assert accepted == wanted


@given(SETTINGS, st.sampled_from(State), st.booleans(), st.lists(st.sampled_from(Gesture), max_size=5), MINUTES)
def test_no_settings_and_no_gestures_approve(
    change: dict[str, Any], state: State, required: bool, gestures: list[Gesture], later_ns: int
) -> None:
    desk = MiniDesk(button_required=required, state=state if state is not State.CONFIRMING else State.PENDING)
    nonce = desk.nonces.issue(ANNA.kid, None, desk.now_ns)
    payload = {
        "v": 1,
        "id": an_id("action"),
        "verb": "settings",
        "args": change,
        "phone": ANNA.kid,
        "nonce": nonce,
        "at": NOW_S,
    }
    assert desk.act(envelope(payload, ANNA.sign_key, "action")) == ("OK" if change else "E_SCHEMA")
    before = desk.state
    for gesture in gestures:
        desk.gesture(gesture)
        desk.wait(later_ns)
    assert desk.releases == []
    assert desk.state in {before, State.PENDING}  # a press may stop what is in its grace time
    assert set(change) <= NAMES


class Owners(RuleBasedStateMachine):
    """Owners, guests, thieves and accidents around one request."""

    @initialize(required=st.booleans())
    def begin(self, *, required: bool) -> None:
        self.desk = MiniDesk(button_required=required)
        self.yes_ns: int | None = None  # when the yes that stands became complete
        self.seen = 0
        self.names = 0

    def house(self) -> House:
        return House(nonces=self.desk.nonces)

    def standing(self) -> None:
        """Note whether a yes stands, as an owner would say it from what was done."""
        if self.desk.state is not State.GRACE and self.desk.state is not State.UPLOADING:
            self.yes_ns = None

    @rule(phone=st.sampled_from(PHONES), decision=st.sampled_from(["share", "decline"]), prev=st.booleans())
    def decide(self, *, phone: TestPhone, decision: str, prev: bool) -> None:
        self.names += 1
        declined = self.desk.declined
        payload = self.house().payload(
            phone,
            decision=decision,
            nonce=self.desk.nonces.issue(phone.kid, REQUEST.id, self.desk.now_ns),
            prev=declined.id if prev and declined is not None else None,
            id=an_id(f"consent {self.names}"),
        )
        admitted = phone.kid in self.desk.phones and self.desk.phones[phone.kid].is_admitted
        code = self.desk.decide(envelope(payload, phone.sign_key))
        if code == "OK" and decision == "share":
            assert admitted
            self.yes_ns = None if self.desk.button_required else self.desk.now_ns
        elif code == "OK":
            self.yes_ns = None

    @rule(phone=st.sampled_from([ANNA, BEN]), later_ns=st.sampled_from([0, GRACE_NS // 2, GRACE_NS, 2 * GRACE_NS]))
    def say_yes_and_wait(self, *, phone: TestPhone, later_ns: int) -> None:
        self.decide(phone=phone, decision="share", prev=True)
        if self.desk.state is State.CONFIRMING:
            self.press(gesture=Gesture.PRESS)
        self.wait(later_ns=later_ns)

    @rule(signer=st.sampled_from(PHONES), named=st.sampled_from(PHONES), channel=st.sampled_from(Channel))
    def forge(self, *, signer: TestPhone, named: TestPhone, channel: Channel) -> None:
        if signer is named and channel is Channel.PHONE:
            return
        nonce = self.desk.nonces.issue(named.kid, REQUEST.id, self.desk.now_ns)
        payload = self.house().payload(approver=named.kid, channel=channel.value, nonce=nonce)
        assert self.desk.decide(envelope(payload, signer.sign_key)) in {"C_SIG", "C_APPROVER"}

    @rule(decision=st.sampled_from(Decision))
    def console(self, *, decision: Decision) -> None:
        try:
            consent = make_console_consent(
                self.desk.facts(), BUTTON, decision=decision, channel=Channel.CONSOLE, stanzas=button_stanzas()
            )
        except RefusedError:
            return
        assert self.desk.decide(consent.raw) == "OK"
        self.yes_ns = self.desk.now_ns if decision is Decision.SHARE else None

    @rule(gesture=st.sampled_from(Gesture))
    def press(self, *, gesture: Gesture) -> None:
        order = meaning(gesture, {REQUEST.id: self.desk.state})
        waited = self.desk.state is State.CONFIRMING
        self.desk.gesture(gesture)
        if order is not None and waited and gesture is Gesture.PRESS:
            self.yes_ns = self.desk.now_ns
        self.standing()

    @rule(later_ns=MINUTES)
    def wait(self, *, later_ns: int) -> None:
        self.desk.wait(later_ns)
        self.standing()

    @rule()
    def stop(self) -> None:
        self.desk.stop()
        self.standing()

    @rule()
    def restart(self) -> None:
        was = self.desk.state
        self.desk.restart()
        if was is State.GRACE:
            self.yes_ns = self.desk.now_ns  # the grace time starts again in full
        self.standing()

    @precondition(lambda self: self.names % 4 == 1)
    @rule(actor=st.sampled_from(PHONES), other=st.sampled_from(PHONES), verb=st.sampled_from(["admit", "unpair"]))
    def act(self, *, actor: TestPhone, other: TestPhone, verb: str) -> None:
        payload = {
            "v": 1,
            "id": an_id("action"),
            "verb": verb,
            "args": {"phone": other.kid},
            "phone": actor.kid,
            "nonce": self.desk.nonces.issue(actor.kid, None, self.desk.now_ns),
            "at": NOW_S,
        }
        before = dict(self.desk.phones)
        if self.desk.act(envelope(payload, actor.sign_key, "action")) == "OK":
            assert before[actor.kid].is_admitted
        else:
            assert before == self.desk.phones

    @rule(
        recheck=st.sampled_from([None, None, None, "E_AGENCY", "D_DIRECTORY"]),
        trusted=st.sampled_from([True, True, False]),
    )
    def world(self, *, recheck: str | None, trusted: bool) -> None:
        self.desk.recheck, self.desk.trusted = recheck, trusted

    @rule(gone=st.sampled_from([(), SEGMENTS[:1]]))
    def evict(self, *, gone: tuple[Any, ...]) -> None:
        self.desk.segments = [segment for segment in SEGMENTS if segment not in gone]

    @precondition(lambda self: self.names % 3 == 1)
    @rule()
    def cancel(self) -> None:
        self.desk.cancel()
        self.standing()

    @rule()
    def another_request(self) -> None:
        if not self.desk.is_open() and self.desk.state is not State.UPLOADING:
            self.desk.state, self.desk.consent, self.desk.declined = State.PENDING, None, None
            self.standing()

    @invariant()
    def nothing_leaves_without_a_yes_that_stands(self) -> None:
        for permission in self.desk.releases[self.seen :]:
            assert self.yes_ns is not None
            assert self.desk.now_ns - self.yes_ns >= GRACE_NS
            assert self.desk.consent is not None
            form = self.desk.consent.form
            approver = self.desk.phones.get(form.approver)
            assert form.approver == BUTTON.kid or (approver is not None and approver.is_admitted)
            assert self.desk.consent.button_signed or not self.desk.button_required
            assert permission.segments == tuple(grant.segment for grant in form.grants)
            assert set(permission.segments) <= set(self.desk.segments)
            assert self.desk.recheck is None
        self.seen = len(self.desk.releases)


TestOwners = Owners.TestCase
TestOwners.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)


def test_the_machine_does_release_when_the_owner_says_yes() -> None:
    """So that the invariant above is not true of nothing."""
    desk = MiniDesk(button_required=True)
    assert desk.decide(House(nonces=desk.nonces).consent()) == "OK"
    desk.gesture(Gesture.PRESS)
    desk.wait(GRACE_NS - 1)
    assert desk.releases == []
    desk.wait(1)
    assert [item.id for item in desk.releases[0].segments] == [item.id for item in SEGMENTS]
