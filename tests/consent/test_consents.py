"""Section 11, step by step, where the vectors leave something out: button, console, re-checks, recall."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.consent_form import Channel
from agent.consent.consents import Consent, add_press, check_consent, recall_consent
from agent.consent.decision_facts import DecisionFacts, RecheckError, StandingDecline
from agent.consent.phones import Phone, PhoneState
from agent.consent.states import State
from agent.core.encoding import b64
from agent.core.envelope import MAX_CONSENT_BYTES, add_signature, parse_envelope, sign
from agent.core.errors import BugError, RefusedError
from agent.core.ids import sha256_hex
from agent.core.keys import raw_public
from agent.core.strict_json import dump
from tests.fakes.consent_house import (
    ANNA,
    BEN,
    BUTTON,
    GUEST,
    LOST,
    NOW_NS,
    NOW_S,
    REQUEST,
    SEGMENTS,
    STRANGER,
    House,
    an_id,
    envelope,
    named,
)

ADMITTED = {phone.kid: phone.known for phone in (ANNA, BEN)}


def code_of(raw: bytes, facts: DecisionFacts) -> str:
    try:
        check_consent(raw, facts)
    except RefusedError as refused:
        return refused.code
    return "OK"


def test_a_good_share_is_exactly_what_was_signed() -> None:
    house = House()
    raw = house.consent()
    consent = check_consent(raw, house.facts())
    assert consent.raw == raw
    assert consent.payload_sha256 == sha256_hex(consent.payload)
    assert json.loads(consent.payload)["id"] == consent.form.id
    assert [grant.segment for grant in consent.form.grants] == list(SEGMENTS)
    assert consent.form.approver == ANNA.kid
    assert consent.form.channel is Channel.PHONE
    assert not consent.button_signed


def test_checking_changes_nothing() -> None:
    house = House()
    raw = house.consent()
    assert code_of(raw, house.facts()) == "OK"
    assert code_of(raw, house.facts()) == "OK"
    house.nonces.use(json.loads(parse_envelope(raw, counts=(1,)).payload)["nonce"])
    assert code_of(raw, house.facts()) == "C_NONCE"


# 1 and 2


@pytest.mark.parametrize(
    "change",
    [
        {"v": True},
        {"id": "0" * 31 + "G"},
        {"decision": None},
        {"decision": ["share"]},
        {"agency": "X"},
        {"agency": 7},
        {"enc_pub": b64(b"\0" * 33)},
        {"ep": ""},
        {"ep": "e" * 65},
        {"ep": 1},
        {"segments": {}},
        {"contact": b64(b"\0" * 47)},
        {"contact": b64(b"\0" * 4097)},
        {"approver": "0" * 15},
        {"channel": "PHONE"},
        {"nonce": ""},
        {"nonce": "n" * 129},
        {"nonce": 5},
        {"at": True},
        {"at": -1},
        {"prev": "x"},
        {"request": {"id": REQUEST.id, "sha256": REQUEST.sha256.upper()}},
        {"segments": [named(SEGMENTS[0], bytes=True)]},
        {"segments": [named(SEGMENTS[0], bytes="1")]},
        {"segments": [named(SEGMENTS[0], wrap=b64(b"\0" * 1025))]},
        {"segments": [named(SEGMENTS[0], wrap=64)]},
        {"segments": ["x"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_2_a_field_of_the_wrong_form(change: dict[str, Any]) -> None:
    house = House()
    raw = envelope(house.payload() | change, ANNA.sign_key)
    assert code_of(raw, house.facts()) == "E_SCHEMA"


def test_2_a_decline_carries_not_even_one_segment() -> None:
    house = House()
    assert code_of(house.consent(decision="decline", segments=[named(SEGMENTS[0])]), house.facts()) == "E_SCHEMA"


def test_2_a_wrap_of_any_bounded_length_has_a_form() -> None:
    house = House()
    for size in (0, 63, 65, 1024):
        wrapped = [named(SEGMENTS[0], wrap=b64(bytes(size)))]
        assert code_of(house.consent(segments=wrapped), house.facts()) == "C_WRAP"


@pytest.mark.parametrize("size", [48, 4096])
def test_2_the_shortest_and_the_longest_contact(size: int) -> None:
    house = House()
    contact = b"\0" * size
    consent = check_consent(house.consent(contact=b64(contact)), house.facts())
    assert consent.form.contact == contact


def test_2_the_longest_endpoint_and_the_most_segments() -> None:
    house = House()
    many = [dataclasses.replace(SEGMENTS[0], id=an_id(f"many {n}")) for n in range(512)]
    facts = house.facts(segments=many, request=dataclasses.replace(REQUEST, endpoint="e" * 64))
    raw = house.consent(segments=[named(segment) for segment in many], ep="e" * 64)
    assert len(check_consent(raw, facts).form.grants) == 512


def test_2_a_nonce_of_128_characters_is_only_unknown() -> None:
    house = House()
    assert code_of(house.consent(nonce="n" * 128), house.facts()) == "C_NONCE"


# 3


@pytest.mark.parametrize("phone", [LOST, STRANGER])
@pytest.mark.parametrize("decision", ["share", "decline"])
def test_3_whoever_is_not_paired_decides_nothing(phone: Any, decision: str) -> None:
    house = House()
    assert code_of(house.consent(phone, decision=decision), house.facts()) == "C_APPROVER"


def test_3_a_waiting_phone_declines_and_does_not_share() -> None:
    house = House()
    assert code_of(house.consent(GUEST, decision="decline"), house.facts()) == "OK"
    assert code_of(house.consent(GUEST), house.facts()) == "C_APPROVER"


# 4


@pytest.mark.parametrize("channel", ["button", "console"])
def test_4_a_phone_can_not_sign_for_button_or_console(channel: str) -> None:
    house = House()
    assert code_of(house.consent(channel=channel), house.facts()) == "C_SIG"


def test_4_the_button_can_not_sign_for_a_phone() -> None:
    house = House()
    nonce = house.nonces.issue(BUTTON.kid, REQUEST.id, NOW_NS)
    payload = house.payload(approver=BUTTON.kid, nonce=nonce)
    assert code_of(envelope(payload, BUTTON.sign_key), house.facts()) == "C_SIG"
    for channel in ("button", "console"):
        raw = envelope(payload | {"channel": channel}, BUTTON.sign_key)
        assert check_consent(raw, house.facts()).button_signed


def test_4_a_phone_can_not_forge_the_button() -> None:
    house = House()
    nonce = house.nonces.issue(BUTTON.kid, REQUEST.id, NOW_NS)
    payload = house.payload(approver=BUTTON.kid, channel="button", nonce=nonce)
    assert code_of(envelope(payload, ANNA.sign_key), house.facts()) == "C_SIG"


def test_4_a_weak_key_of_an_approver_verifies_nothing() -> None:
    house = House()
    weak = bytes(31) + b"\x80"
    phone = Phone(kid=ANNA.kid, sign_pub=weak, state=PhoneState.ADMITTED)
    assert code_of(house.consent(), house.facts(phones={ANNA.kid: phone})) == "C_SIG"


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


# recall, press


def pressed(house: House) -> Consent:
    return add_press(check_consent(house.consent(), house.facts()), BUTTON.sign_key)


def recall(raw: bytes, **change: Any) -> Consent:
    known: dict[str, Any] = {"phones": ADMITTED, "button_pub": raw_public(BUTTON.sign_key)} | change
    return recall_consent(raw, **known)


def test_a_press_adds_the_buttons_signature_to_the_same_payload() -> None:
    house = House()
    before = check_consent(house.consent(), house.facts())
    after = add_press(before, BUTTON.sign_key)
    assert after.payload == before.payload
    assert after.button_signed
    names = [signature.keyid for signature in parse_envelope(after.raw, counts=(2,)).signatures]
    assert names == [ANNA.kid, BUTTON.kid]
    assert recall(after.raw) == after
    assert recall(before.raw) == before


def test_a_press_confirms_once_and_never_a_decline() -> None:
    house = House()
    with pytest.raises(BugError):
        add_press(pressed(house), BUTTON.sign_key)
    no = check_consent(house.consent(decision="decline"), house.facts())
    with pytest.raises(BugError):
        add_press(no, BUTTON.sign_key)


def test_a_fresh_decision_never_comes_with_two_signatures() -> None:
    house = House()
    assert code_of(pressed(house).raw, house.facts()) == "E_SCHEMA"


def test_the_second_signature_of_a_stored_consent_is_the_buttons() -> None:
    house = House()
    signed_by_ben = add_signature(parse_envelope(house.consent(), counts=(1,)), BEN.sign_key)
    with pytest.raises(RefusedError) as refused:
        recall(signed_by_ben)
    assert refused.value.code == "C_SIG"
    forged = parse_envelope(pressed(house).raw, counts=(2,))
    tampered = dataclasses.replace(forged.signatures[1], sig=bytes(64))
    swapped = [forged.signatures[0], tampered]
    raw = dump(
        {
            "payloadType": forged.payload_type,
            "payload": b64(forged.payload),
            "signatures": [{"keyid": item.keyid, "sig": b64(item.sig)} for item in swapped],
        }
    )
    with pytest.raises(RefusedError) as refused:
        recall(raw)
    assert refused.value.code == "C_SIG"


def test_a_stored_consent_of_a_phone_that_was_unpaired_since_is_nothing() -> None:
    house = House()
    raw = house.consent()
    for phones in (
        {},
        {ANNA.kid: Phone(kid=ANNA.kid, sign_pub=ANNA.sign_pub, state=PhoneState.UNPAIRED)},
        {ANNA.kid: Phone(kid=ANNA.kid, sign_pub=ANNA.sign_pub, state=PhoneState.WAITING)},
    ):
        with pytest.raises(RefusedError) as refused:
            recall(raw, phones=phones)
        assert refused.value.code == "C_APPROVER"


def test_a_consent_of_nearly_a_mebibyte_can_still_be_pressed_and_recalled() -> None:
    house = House()
    payload = dump(house.payload())
    room = (MAX_CONSENT_BYTES - 400) // 4 * 3 - len(payload)
    raw = sign("consent", payload + b" " * room, [ANNA.sign_key])
    consent = add_press(check_consent(raw, house.facts()), BUTTON.sign_key)
    assert recall(consent.raw).button_signed


def test_nobody_else_makes_a_consent() -> None:
    house = House()
    consent = check_consent(house.consent(), house.facts())
    fields = {name: getattr(consent, name) for name in ("form", "payload", "payload_sha256", "raw")}
    with pytest.raises(BugError):
        Consent(**fields, button_signed=True, proof=object())
    with pytest.raises(TypeError):
        Consent(**fields, button_signed=True)
    with pytest.raises((ValueError, TypeError)):
        dataclasses.replace(consent, button_signed=True)  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        consent.button_signed = True  # type: ignore[misc]


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_nothing(raw: bytes) -> None:
    house = House()
    assert code_of(raw, house.facts()) in {"E_SIZE", "E_JSON", "E_SCHEMA"}


@given(st.data())
def test_one_changed_byte_of_a_good_share_is_never_taken(data: st.DataObject) -> None:
    house = House()
    raw = bytearray(house.consent())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    assert code_of(bytes(raw), house.facts()) != "OK"
