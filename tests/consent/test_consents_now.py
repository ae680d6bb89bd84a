"""Section 11, steps 5 to 8, where the vectors leave something out: whether it may be decided now."""

import dataclasses
from typing import Any

import pytest

from agent.consent.consents import check_consent
from agent.consent.decision_facts import RecheckError, StandingDecline
from agent.consent.states import State
from tests.consent.deciding import code_of
from tests.fakes.consent_house import ANNA, BEN, NOW_NS, NOW_S, REQUEST, SEGMENTS, STRANGER, House, an_id, envelope

# 5


@pytest.mark.parametrize("state", State)
def test_5_which_states_can_be_decided(state: State) -> None:
    house = House()
    share, decline = house.consent(), house.consent(decision="decline")
    facts = house.facts(state=state)
    assert (code_of(share, facts) == "OK") == (state is State.PENDING)
    assert (code_of(decline, facts) == "OK") == (state in {State.PENDING, State.CONFIRMING, State.GRACE})
    for raw in (share, decline):
        assert code_of(raw, facts) in {"OK", "C_STATE"}


def test_5_prev_names_the_approvers_own_standing_decline() -> None:
    house = House()
    no = StandingDecline(an_id("no"), ANNA.kid)
    facts = house.facts(state=State.DECLINED, declined=no)
    assert code_of(house.consent(prev=no.id), facts) == "OK"
    assert code_of(house.consent(prev=an_id("other")), facts) == "C_STATE"
    assert code_of(house.consent(), facts) == "C_STATE"
    assert code_of(house.consent(BEN, prev=no.id), facts) == "C_STATE"
    assert code_of(house.consent(decision="decline", prev=no.id), facts) == "C_STATE"


def test_5_prev_in_a_request_that_is_not_declined_is_refused() -> None:
    house = House()
    no = StandingDecline(an_id("no"), ANNA.kid)
    for facts in (house.facts(declined=no), house.facts()):
        assert code_of(house.consent(prev=no.id), facts) == "C_STATE"
        assert code_of(house.consent(decision="decline", prev=no.id), facts) == "C_STATE"


@pytest.mark.parametrize("recheck", ["E_KEY", "E_AGENCY", "E_EXPIRED", "E_SIG", "E_REPLY"])
def test_5_a_share_of_a_request_that_no_longer_holds_cancels_it(recheck: str) -> None:
    house = House()
    with pytest.raises(RecheckError) as refused:
        check_consent(house.consent(), house.facts(recheck=lambda: recheck))
    assert refused.value.code == "C_STATE"
    assert refused.value.recheck == recheck


def test_5_a_decline_is_not_rechecked() -> None:
    house = House()

    def recheck() -> str:
        raise AssertionError("a decline needs no re-check")

    assert code_of(house.consent(decision="decline"), house.facts(recheck=recheck)) == "OK"


def test_5_the_recheck_runs_once_and_only_after_the_signature_and_the_state() -> None:
    house = House()
    calls = []

    def recheck() -> None:
        calls.append(1)

    bad = envelope(house.payload(), STRANGER.sign_key)
    assert code_of(bad, house.facts(recheck=recheck)) == "C_SIG"
    assert code_of(house.consent(), house.facts(recheck=recheck, state=State.GRACE)) == "C_STATE"
    assert calls == []
    assert code_of(house.consent(), house.facts(recheck=recheck)) == "OK"
    assert calls == [1]


# 6


def test_6_a_nonce_for_an_action_decides_nothing() -> None:
    house = House()
    nonce = house.nonces.issue(ANNA.kid, None, NOW_NS)
    assert code_of(house.consent(nonce=nonce), house.facts()) == "C_NONCE"


def test_6_a_nonce_lives_by_boot_time_so_that_a_wrong_clock_ends_nothing() -> None:
    house = House()
    raw = house.consent(decision="decline")
    assert code_of(raw, house.facts(now_s=5, trusted=False)) == "OK"
    assert code_of(raw, house.facts(now_ns=NOW_NS + 1800 * 10**9 - 1)) == "OK"
    assert code_of(raw, house.facts(now_ns=NOW_NS + 1800 * 10**9)) == "C_NONCE"


# 7


@pytest.mark.parametrize("recheck", ["D_DIRECTORY", "I_DUPLICATE", "anything"])
def test_7_a_share_on_a_directory_that_must_be_fetched_first_is_stale(recheck: str) -> None:
    house = House()
    assert code_of(house.consent(), house.facts(recheck=lambda: recheck)) == "C_STALE"


@pytest.mark.parametrize(
    "change", [{"agency": "us-ca-elsewhere"}, {"enc_pub": b"\1" * 32}, {"endpoint": "ep2"}, {"sha256": "0" * 64}]
)
def test_7_what_is_held_changed_since_the_phone_saw_it(change: dict[str, Any]) -> None:
    house = House()
    facts = house.facts(request=dataclasses.replace(REQUEST, **change))
    for decision in ("share", "decline"):
        assert code_of(house.consent(decision=decision), facts) == "C_STALE"


@pytest.mark.parametrize("field", ["sha256", "size_bytes", "start_ms", "end_ms"])
def test_7_a_segment_that_differs_in_one_field(field: str) -> None:
    house = House()
    value: Any = "0" * 64 if field == "sha256" else 1
    facts = house.facts(segments=[dataclasses.replace(SEGMENTS[0], **{field: value}), *SEGMENTS[1:]])
    assert code_of(house.consent(), facts) == "C_STALE"


@pytest.mark.parametrize(("skew", "wanted"), [(-301, "C_STALE"), (-300, "OK"), (300, "OK"), (301, "C_STALE")])
@pytest.mark.parametrize("decision", ["share", "decline"])
def test_7_at_is_within_five_minutes(skew: int, wanted: str, decision: str) -> None:
    house = House()
    assert code_of(house.consent(decision=decision, at=NOW_S + skew), house.facts()) == wanted


# 8


def test_8_a_recheck_that_waits_for_the_clock_is_c_clock() -> None:
    house = House()
    assert code_of(house.consent(), house.facts(recheck=lambda: "D_CLOCK", trusted=False)) == "C_CLOCK"
    assert code_of(house.consent(), house.facts(recheck=lambda: "D_CLOCK")) == "C_CLOCK"
