"""Decisions by the button or at the console: the same checks, and nothing that was recorded before the start."""

import dataclasses
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.consent.consent_form import MAX_SEGMENTS, Channel, Decision
from agent.consent.consents import Consent, recall_consent
from agent.consent.console import ButtonKeys, make_console_consent
from agent.consent.decision_facts import DecisionFacts, StandingDecline
from agent.consent.states import State
from agent.core.errors import BugError, RefusedError
from agent.core.ids import Id
from agent.core.keys import raw_public
from agent.core.seal import grant_info, open_cek
from tests.fakes.consent_house import (
    AGENCY_ENC,
    ANNA,
    BUTTON,
    REQUEST,
    SEGMENTS,
    House,
    an_id,
    button_stanzas,
    cek_of,
)


def make(facts: DecisionFacts, **change: Any) -> Consent:
    args: dict[str, Any] = {
        "decision": Decision.SHARE,
        "channel": Channel.CONSOLE,
        "stanzas": button_stanzas(),
    }
    return make_console_consent(facts, change.pop("keys", BUTTON), **(args | change))


@pytest.mark.parametrize("channel", [Channel.CONSOLE, Channel.BUTTON])
def test_the_console_shares_what_the_buttons_key_opens(channel: Channel) -> None:
    house = House()
    consent = make(house.facts(), channel=channel)
    assert consent.button_signed
    assert consent.form.approver == BUTTON.kid
    assert consent.form.channel is channel
    assert [grant.segment for grant in consent.form.grants] == list(SEGMENTS)
    for grant in consent.form.grants:
        info = grant_info(REQUEST.sha256, grant.segment.sha256)
        assert open_cek(AGENCY_ENC, grant.wrap, info) == cek_of(grant.segment)
    public = raw_public(BUTTON.sign_key)
    assert recall_consent(consent.raw, phones={}, button_pub=public) == consent


def test_what_is_shared_is_in_the_order_of_time() -> None:
    house = House()
    consent = make(house.facts(segments=SEGMENTS[::-1]))
    assert [grant.segment for grant in consent.form.grants] == list(SEGMENTS)


def test_what_was_recorded_before_the_vault_started_stays_locked() -> None:
    house = House()
    restarted = ButtonKeys(BUTTON.sign_key, X25519PrivateKey.from_private_bytes(b"\7" * 32))
    with pytest.raises(RefusedError) as refused:
        make(house.facts(), keys=restarted)
    assert refused.value.code == "C_LOCKED"
    mixed = button_stanzas(SEGMENTS[:1]) | {SEGMENTS[1].id: b"\0" * 64}
    assert [grant.segment for grant in make(house.facts(), stanzas=mixed).form.grants] == [SEGMENTS[0]]


@pytest.mark.parametrize("opens", [{}, {an_id("no segment"): b""}])
def test_nothing_that_opens_is_c_locked(opens: dict[Id, bytes]) -> None:
    with pytest.raises(RefusedError) as refused:
        make(House().facts(), stanzas=opens)
    assert refused.value.code == "C_LOCKED"


def test_no_more_than_512_segments_are_shared_at_once() -> None:
    house = House()
    first = SEGMENTS[0]
    many = tuple(
        dataclasses.replace(first, id=an_id(f"many {n}"), start_ms=first.start_ms + n)
        for n in range(MAX_SEGMENTS + 1)
    )
    consent = make(house.facts(segments=many), stanzas=button_stanzas(many))
    assert len(consent.form.grants) == MAX_SEGMENTS
    assert consent.form.grants[-1].segment == many[MAX_SEGMENTS - 1]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": State.GRACE}, "C_STATE"),
        ({"recheck": lambda: "E_AGENCY"}, "C_STATE"),
        ({"recheck": lambda: "D_DIRECTORY"}, "C_STALE"),
        ({"timestamp_fresh": False}, "C_STALE"),
        ({"trusted": False}, "C_CLOCK"),
        ({"approvals_today": 3}, "C_RATE"),
    ],
)
def test_a_share_is_refused_before_anything_is_opened(change: dict[str, Any], code: str) -> None:
    """Not even C_LOCKED comes first, so no stanza was opened."""
    with pytest.raises(RefusedError) as refused:
        make(House().facts(**change), stanzas={})
    assert refused.value.code == code


def test_the_console_declines_without_clock_timestamp_or_rate() -> None:
    facts = House().facts(trusted=False, timestamp_fresh=False, approvals_today=9, state=State.GRACE)
    consent = make(facts, decision=Decision.DECLINE, stanzas={})
    assert not consent.form.shares
    assert consent.form.prev is None


def test_the_console_replaces_its_own_decline_and_nobody_elses() -> None:
    own = StandingDecline(an_id("no"), BUTTON.kid)
    consent = make(House().facts(state=State.DECLINED, declined=own))
    assert consent.form.prev == own.id
    with pytest.raises(RefusedError) as refused:
        make(House().facts(state=State.DECLINED, declined=StandingDecline(an_id("no"), ANNA.kid)))
    assert refused.value.code == "C_STATE"
    with pytest.raises(RefusedError) as refused:
        make(House().facts(state=State.DECLINED, declined=own), decision=Decision.DECLINE)
    assert refused.value.code == "C_STATE"


def test_a_decline_that_no_longer_holds_is_no_prev() -> None:
    facts = House().facts(declined=StandingDecline(an_id("no"), BUTTON.kid))
    assert make(facts).form.prev is None


def test_a_declined_request_whose_decline_is_not_known_can_not_be_shared() -> None:
    with pytest.raises(RefusedError) as refused:
        make(House().facts(state=State.DECLINED, declined=None))
    assert refused.value.code == "C_STATE"


def test_the_button_signs_for_no_phone_and_only_with_its_own_key() -> None:
    with pytest.raises(BugError):
        make(House().facts(), channel=Channel.PHONE)
    with pytest.raises(BugError):
        make(House().facts(), keys=ButtonKeys(ANNA.sign_key, BUTTON.open_key))


def test_the_nonce_is_the_buttons_and_can_be_spent_once() -> None:
    house = House()
    consent = make(house.facts())
    nonce = consent.form.nonce
    assert house.nonces.holds(nonce, BUTTON.kid, REQUEST.id, house.facts().now_ns)
    house.nonces.use(nonce)
    assert not house.nonces.holds(nonce, BUTTON.kid, REQUEST.id, house.facts().now_ns)


def test_private_keys_do_not_print_themselves() -> None:
    assert repr(BUTTON) == "ButtonKeys()"
