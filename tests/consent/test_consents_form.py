"""Section 11, steps 1 to 4, where the vectors leave something out: the form, the approver, the signature."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.consent_form import Channel
from agent.consent.consents import check_consent
from agent.consent.phones import Phone, PhoneState
from agent.core.encoding import b64
from agent.core.envelope import parse_envelope
from agent.core.ids import sha256_hex
from tests.consent.deciding import code_of
from tests.fakes.consent_house import (
    ANNA,
    BUTTON,
    GUEST,
    LOST,
    NOW_NS,
    REQUEST,
    SEGMENTS,
    STRANGER,
    House,
    an_id,
    envelope,
    named,
)


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
