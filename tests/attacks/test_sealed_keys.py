"""An adversary who holds sealed keys tries to open something else with them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.errors import RefusedError
from agent.core.ids import Sha256, sha256_hex
from agent.core.keys import raw_public
from agent.core.seal import contact_info, grant_info, hpke_open, hpke_seal, new_cek, open_cek, stanza_info
from tests.fakes.consent_house import (
    AGENCY_ENC,
    ANNA,
    BEN,
    BUTTON,
    REQUEST,
    SEGMENTS,
    button_stanzas,
    cek_of,
)

ONE, TWO = SEGMENTS[:2]
OTHER_REQUEST = Sha256(sha256_hex(b"another request"))


def wrap_of_one() -> bytes:
    info = grant_info(REQUEST.sha256, ONE.sha256)
    return hpke_seal(REQUEST.enc_pub, cek_of(ONE), info)


def opens(private: X25519PrivateKey, sealed: bytes, info: bytes) -> bool:
    try:
        open_cek(private, sealed, info)
    except RefusedError as refused:
        assert refused.code == "E_SEAL"  # noqa: PT017 - the point is which refusal it is
        return False
    return True


def test_a_grant_for_one_segment_opens_no_other() -> None:
    assert opens(AGENCY_ENC, wrap_of_one(), grant_info(REQUEST.sha256, ONE.sha256))
    assert not opens(AGENCY_ENC, wrap_of_one(), grant_info(REQUEST.sha256, TWO.sha256))


def test_a_grant_of_one_request_can_not_be_shown_under_another() -> None:
    assert not opens(AGENCY_ENC, wrap_of_one(), grant_info(OTHER_REQUEST, ONE.sha256))


def test_a_grant_to_one_agency_opens_nothing_for_another() -> None:
    other = X25519PrivateKey.from_private_bytes(b"\x11" * 32)
    assert not opens(other, wrap_of_one(), grant_info(REQUEST.sha256, ONE.sha256))


def test_a_stanza_moved_to_another_segment_or_recipient_opens_nothing() -> None:
    stanza = button_stanzas()[ONE.id]
    assert opens(BUTTON.open_key, stanza, stanza_info(ONE.id, BUTTON.open_kid))
    assert not opens(BUTTON.open_key, stanza, stanza_info(TWO.id, BUTTON.open_kid))
    assert not opens(BUTTON.open_key, stanza, stanza_info(ONE.id, BEN.kid))
    assert not opens(ANNA.open_key, stanza, stanza_info(ONE.id, BUTTON.open_kid))


def test_a_stanza_a_grant_and_a_contact_can_not_stand_for_each_other() -> None:
    public, cek = raw_public(AGENCY_ENC), new_cek()
    infos = [
        stanza_info(ONE.id, BUTTON.open_kid),
        grant_info(REQUEST.sha256, ONE.sha256),
        contact_info(REQUEST.sha256),
    ]
    for made in infos:
        sealed = hpke_seal(public, cek, made)
        for shown in infos:
            assert opens(AGENCY_ENC, sealed, shown) == (made == shown)


def test_a_sealed_key_of_another_length_is_no_key() -> None:
    info = grant_info(REQUEST.sha256, ONE.sha256)
    for size in (0, 15, 17, 32):
        assert not opens(AGENCY_ENC, hpke_seal(REQUEST.enc_pub, bytes(size), info), info)
    assert not opens(AGENCY_ENC, b"", info)


def test_sealing_to_a_point_of_small_order_is_refused() -> None:
    """Whoever knows no private key at all could open what is sealed to such a point."""
    for public in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(RefusedError) as refused:
            hpke_seal(public, new_cek(), grant_info(REQUEST.sha256, ONE.sha256))
        assert refused.value.code == "E_KEY"


def test_one_changed_bit_of_a_wrap_opens_nothing() -> None:
    info, wrap = grant_info(REQUEST.sha256, ONE.sha256), wrap_of_one()
    for place in range(len(wrap)):
        changed = bytearray(wrap)
        changed[place] ^= 1
        with pytest.raises(RefusedError):
            hpke_open(AGENCY_ENC, bytes(changed), info)
