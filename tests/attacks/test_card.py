"""An adversary who holds the card, or writes to it: reads what is there, swaps what is stored."""

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.consent.consent_form import Channel, Decision
from agent.consent.consents import check_consent, recall_consent
from agent.consent.console import make_console_consent
from agent.consent.release import release
from agent.core.encoding import b64
from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.keys import raw_public
from agent.core.strict_json import dump
from agent.services.vault.keys import load_keys, make_keys
from tests.fakes.consent_house import (
    ANNA,
    BUTTON,
    GUEST,
    REQUEST,
    SEGMENTS,
    House,
    an_id,
    button_stanzas,
    named,
)


def test_no_key_on_the_card_opens_a_segment(tmp_path: Path) -> None:
    """The card holds signing keys only; the button's open key is another one at each start."""
    make_keys(tmp_path)
    first, second = load_keys(tmp_path), load_keys(tmp_path)
    assert raw_public(first.button.open_key) != raw_public(second.button.open_key)
    assert raw_public(first.button.sign_key) == raw_public(second.button.sign_key)
    for file in tmp_path.iterdir():
        assert file.stat().st_mode & 0o077 == 0
        key = load_pem_private_key(file.read_bytes(), None)
        assert type(key).__name__ in {"Ed25519PrivateKey", "ECPrivateKey"}
        assert first.button.open_key.private_bytes_raw() not in file.read_bytes()


def test_with_the_card_and_a_restart_the_console_shares_nothing_that_was_recorded_before(tmp_path: Path) -> None:
    make_keys(tmp_path)
    keys = load_keys(tmp_path).button
    facts = House().facts(button_pub=raw_public(keys.sign_key))
    with pytest.raises(RefusedError) as refused:
        make_console_consent(
            facts, keys, decision=Decision.SHARE, channel=Channel.CONSOLE, stanzas=button_stanzas()
        )
    assert refused.value.code == "C_LOCKED"


def test_a_stored_consent_swapped_for_one_of_a_waiting_phone_is_nothing() -> None:
    house = House()
    kept = check_consent(house.consent(), house.facts())
    forged = sign("consent", kept.payload, [GUEST.sign_key])
    with pytest.raises(RefusedError):
        recall_consent(forged, phones=house.facts().phones, button_pub=house.facts().button_pub)


def test_a_stored_consent_to_another_request_does_not_release_this_one() -> None:
    house = House()
    earlier = house.consent(request={"id": an_id("another"), "sha256": REQUEST.sha256})
    public = raw_public(BUTTON.sign_key)
    consent = recall_consent(earlier, phones={ANNA.kid: ANNA.known}, button_pub=public)
    with pytest.raises(RefusedError) as refused:
        release(consent, house.standing())
    assert refused.value.code == "C_STALE"


def test_a_stored_press_can_not_be_cut_off_and_pasted_to_another_consent() -> None:
    house = House()
    public = raw_public(BUTTON.sign_key)
    pressed = parse_envelope(
        sign("consent", check_consent(house.consent(), house.facts()).payload, [ANNA.sign_key, BUTTON.sign_key]),
        counts=(2,),
    )
    other = parse_envelope(house.consent(id=an_id("other")), counts=(1,))
    pasted = replace(other, signatures=(*other.signatures, pressed.signatures[1]))
    raw = dump(
        {
            "payloadType": pasted.payload_type,
            "payload": b64(pasted.payload),
            "signatures": [{"keyid": one.keyid, "sig": b64(one.sig)} for one in pasted.signatures],
        }
    )
    with pytest.raises(RefusedError) as refused:
        recall_consent(raw, phones={ANNA.kid: ANNA.known}, button_pub=public)
    assert refused.value.code == "C_SIG"


def test_another_file_under_a_released_id_is_not_handed_over() -> None:
    house = House()
    consent = check_consent(house.consent(segments=[named(SEGMENTS[0])]), house.facts())
    permission = release(consent, house.standing())
    with pytest.raises(RefusedError) as refused:
        permission.take(SEGMENTS[0].id, SEGMENTS[1].sha256, SEGMENTS[0].size_bytes)
    assert refused.value.code == "C_STALE"
