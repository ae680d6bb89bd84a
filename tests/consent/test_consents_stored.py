"""What becomes of a consent that was taken: the press that confirms it, and its recall."""

import dataclasses
from typing import Any

import pytest

from agent.consent.consents import Consent, add_press, check_consent, recall_consent
from agent.consent.phones import Phone, PhoneState
from agent.core.encoding import b64
from agent.core.envelope import MAX_CONSENT_BYTES, add_signature, parse_envelope, sign
from agent.core.errors import BugError, RefusedError
from agent.core.keys import raw_public
from agent.core.strict_json import dump
from tests.consent.deciding import code_of
from tests.fakes.consent_house import ANNA, BEN, BUTTON, House

ADMITTED = {phone.kid: phone.known for phone in (ANNA, BEN)}


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
