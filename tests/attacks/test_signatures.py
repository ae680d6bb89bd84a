"""An adversary who holds some keys, or some signatures, tries to make them stand for others."""

from itertools import product
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.consent.actions import ActionFacts, check_action
from agent.consent.consents import check_consent
from agent.consent.pairing import PairBody
from agent.consent.sessions import session_message, session_signature_holds
from agent.core.encoding import b64
from agent.core.envelope import (
    Envelope,
    Signature,
    check_signature,
    parse_envelope,
    payload_type,
    sign,
)
from agent.core.errors import RefusedError
from agent.core.ids import kid_of
from agent.core.keys import is_weak, load_verify_key, raw_public
from agent.core.strict_json import dump, parse
from tests.fakes.consent_house import ANNA, BUTTON, NOW_NS, House, seed
from tests.fakes.consent_requests import DISPATCH, SIGN

NAMES = ("request", "cancel", "alert", "consent", "action", "submission", "receipt")
P = 2**255 - 19
Y8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
SPKI = b"\3" * 32


def code_of(raw: bytes, house: House) -> str:
    try:
        check_consent(raw, house.facts())
    except RefusedError as refused:
        return refused.code
    return "OK"


@pytest.mark.parametrize(
    "key", [DISPATCH, SIGN, Ed25519PrivateKey.from_private_bytes(seed("the device's, a test key"))]
)
def test_platform_agency_and_device_keys_sign_no_consent(key: Ed25519PrivateKey) -> None:
    house = House()
    for approver, channel in product(
        (ANNA.kid, kid_of(raw_public(key)), BUTTON.kid), ("phone", "button", "console")
    ):
        nonce = house.nonces.issue(approver, house.facts().request.id, NOW_NS)
        payload = house.payload(approver=approver, channel=channel, nonce=nonce)
        assert code_of(sign("consent", dump(payload), [key]), house) in {"C_SIG", "C_APPROVER"}


@pytest.mark.parametrize(("signed_as", "shown_as"), [pair for pair in product(NAMES, NAMES) if pair[0] != pair[1]])
def test_a_signature_of_one_type_is_none_of_another(signed_as: str, shown_as: str) -> None:
    envelope = parse_envelope(sign(signed_as, b"{}", [ANNA.sign_key]), counts=(1,))
    check_signature(envelope, envelope.signatures[0], ANNA.sign_pub)
    shown = Envelope(payload_type(shown_as), envelope.payload, envelope.signatures, b"")
    with pytest.raises(RefusedError):
        check_signature(shown, shown.signatures[0], ANNA.sign_pub)


def test_a_consent_that_was_signed_as_an_action_is_none_and_the_other_way_round() -> None:
    house = House()
    payload = dump(house.payload())
    as_action = parse(sign("action", payload, [ANNA.sign_key]), max_bytes=10**6)
    assert isinstance(as_action, dict)
    renamed = dump(as_action | {"payloadType": payload_type("consent")})
    assert code_of(renamed, house) == "C_SIG"
    facts = ActionFacts(
        phones=house.facts().phones, nonces=house.nonces, now_ns=NOW_NS, has_clip=lambda _clip: True
    )
    with pytest.raises(RefusedError):
        check_action(sign("consent", payload, [ANNA.sign_key]), facts)


def test_a_page_that_picks_the_challenge_gets_no_signature_that_means_something_else() -> None:
    """The phone signs a label first, which no envelope's signed bytes begin with."""
    house = House()
    envelope = parse_envelope(house.consent(), counts=(1,))
    for challenge in (b"", envelope.payload, b"DSSEv1 " + envelope.payload):
        sig = ANNA.sign_key.sign(session_message(SPKI, challenge))
        forged = Envelope(envelope.payload_type, envelope.payload, (Signature(ANNA.kid, sig),), b"")
        with pytest.raises(RefusedError):
            check_signature(forged, forged.signatures[0], ANNA.sign_pub)
    assert not session_signature_holds(ANNA.sign_pub, SPKI, b"c" * 32, envelope.signatures[0].sig)


def weak_encodings() -> list[bytes]:
    """The 14 encodings of small-order points: two signs of each y, and the non-canonical ones of 0 and 1."""
    found = []
    for y, top in product((0, 1, P - 1, Y8, P - Y8, P, P + 1), (0, 1)):
        found.append((y | top << 255).to_bytes(32, "little"))
    return found


def test_the_fourteen_weak_keys_are_refused_wherever_a_key_is_loaded() -> None:
    weak = weak_encodings()
    assert len(set(weak)) == 14
    for public in weak:
        assert is_weak(public)
        with pytest.raises(RefusedError, match="weak"):
            load_verify_key(public)


def test_a_forged_signature_under_a_weak_key_is_never_taken() -> None:
    """R = the identity and S = 0 holds under small-order keys for many messages: no such key gets that far."""
    house = House()
    forged = b"\1" + bytes(63)
    payload = dump(house.payload())
    for public in weak_encodings():
        raw = dump(
            {
                "payloadType": payload_type("consent"),
                "payload": b64(payload),
                "signatures": [{"keyid": kid_of(public), "sig": b64(forged)}],
            }
        )
        phone: Any = ANNA.known
        facts = house.facts(phones={ANNA.kid: type(phone)(kid=ANNA.kid, sign_pub=public, state=phone.state)})
        with pytest.raises(RefusedError) as refused:
            check_consent(raw, facts)
        assert refused.value.code == "C_SIG"


def test_a_keyid_is_only_a_hint() -> None:
    """Naming Anna's key over a stranger's signature changes nothing; the kid is computed from the key."""
    house = House()
    stranger = Ed25519PrivateKey.from_private_bytes(seed("stranger"))
    good = parse_envelope(house.consent(), counts=(1,))
    other = parse_envelope(sign("consent", good.payload, [stranger]), counts=(1,))
    lying = Envelope(good.payload_type, good.payload, (Signature(ANNA.kid, other.signatures[0].sig),), b"")
    with pytest.raises(RefusedError):
        check_signature(lying, lying.signatures[0], ANNA.sign_pub)
    with pytest.raises(RefusedError):
        check_signature(lying, lying.signatures[0], raw_public(stranger))
    assert PairBody("x", ANNA.sign_pub, bytes(32), bytes(32)).phone == ANNA.kid
