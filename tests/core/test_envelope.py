"""Signed envelopes: what is signed, what form they have, and whose signature holds."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core import envelope, keys
from agent.core.errors import RefusedError


def _signed() -> tuple[Ed25519PrivateKey, envelope.Envelope]:
    key = Ed25519PrivateKey.generate()
    return key, envelope.parse_envelope(envelope.sign("alert", b"{}", [key]), counts=(1,))


def test_a_signature_holds_for_its_key_type_and_payload_only() -> None:
    key, good = _signed()
    envelope.check_signature(good, good.signatures[0], keys.raw_public(key))
    for other in (
        envelope.Envelope("application/x", good.payload, good.signatures, good.raw),
        envelope.Envelope(good.payload_type, b"[]", good.signatures, good.raw),
    ):
        with pytest.raises(RefusedError) as refused:
            envelope.check_signature(other, good.signatures[0], keys.raw_public(key))
        assert refused.value.code == "E_SIG"
    with pytest.raises(RefusedError) as misnamed:
        envelope.check_signature(good, good.signatures[0], keys.raw_public(Ed25519PrivateKey.generate()))
    assert misnamed.value.code == "E_KEY"


def test_the_signed_bytes_count_bytes_not_characters() -> None:
    assert envelope.pae("é", b"x") == b"DSSEv1 2 \xc3\xa9 1 x"


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": 7},
        {"payload": "!"},
        {"payload": None},
        {"signatures": []},
        {"signatures": {}},
        {"signatures": [{"keyid": "x", "sig": ""}]},
        {"signatures": [{"keyid": "0" * 16, "sig": "YQ=="}]},
        {"signatures": [7]},
        {"extra": 1},
    ],
)
def test_a_malformed_envelope_is_refused(change: dict[str, object]) -> None:
    _, good = _signed()
    raw = json.dumps({**json.loads(good.raw), **change}).encode()
    with pytest.raises(RefusedError) as refused:
        envelope.parse_envelope(raw, counts=(1,))
    assert refused.value.code == "E_ENVELOPE"


def test_two_signatures_of_one_key_are_refused() -> None:
    key, _ = _signed()
    with pytest.raises(RefusedError, match="one key"):
        envelope.parse_envelope(envelope.sign("alert", b"{}", [key, key]), counts=(2,))


def test_a_payload_over_its_limit_is_refused() -> None:
    raw = envelope.sign("alert", b"x" * 101, [Ed25519PrivateKey.generate()])
    with pytest.raises(RefusedError) as refused:
        envelope.parse_envelope(raw, counts=(1,), max_payload=100)
    assert refused.value.code == "E_SIZE"


def test_a_signature_can_be_added_to_the_same_payload() -> None:
    key, good = _signed()
    second = Ed25519PrivateKey.generate()
    both = envelope.parse_envelope(envelope.add_signature(good, second), counts=(2,))
    for signature, one in zip(both.signatures, (key, second), strict=True):
        envelope.check_signature(both, signature, keys.raw_public(one))
