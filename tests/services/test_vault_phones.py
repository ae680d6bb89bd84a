"""Pairing, sessions and what each phone may see, in the real vault."""

from typing import Any

import pytest

from agent.consent.pairing import phone_mac
from agent.core.encoding import b64, unb64
from agent.core.errors import RefusedError
from agent.core.keys import raw_public
from agent.core.seal import hpke_open, hpke_seal, stanza_info
from agent.core.strict_json import parse
from tests.fakes.pairing_link import parse_link
from tests.fakes.vault_rig import SPKI, FakePhone, Rig
from tests.services.page_calls import ask_page, session_of


def test_the_first_phone_is_admitted_and_the_next_one_waits(rig: Rig) -> None:
    second = FakePhone()
    assert rig.vault.house.phones[rig.phone.kid].state == "admitted"
    assert rig.pair(second)["state"] == "waiting"


def test_three_wrong_tries_close_the_window(rig: Rig) -> None:
    link = parse_link(str(rig.vault.phones.open_window()["url"]))
    phone = FakePhone()
    sign_pub, open_pub = raw_public(phone.sign_key), raw_public(phone.open_key)
    wrong: Any = {"name": "x", "sign_pub": b64(sign_pub), "open_pub": b64(open_pub), "mac": b64(bytes(32))}
    for _ in range(3):
        with pytest.raises(RefusedError) as refused:
            rig.vault.phones.pair(wrong)
        assert refused.value.code == "P_MAC"
    right = {**wrong, "mac": b64(phone_mac(link.secret, link.spki, sign_pub, open_pub))}
    with pytest.raises(RefusedError) as closed:
        rig.vault.phones.pair(right)
    assert closed.value.code == "P_CLOSED"


def test_known_keys_are_answered_like_unknown_ones(rig: Rig) -> None:
    def body(phone: FakePhone) -> dict[str, Any]:
        sign_pub, open_pub = raw_public(phone.sign_key), raw_public(phone.open_key)
        return {"name": "P", "sign_pub": b64(sign_pub), "open_pub": b64(open_pub), "mac": b64(bytes(32))}

    for phone in (rig.phone, FakePhone()):
        codes = []
        rig.vault.phones.open_window()
        for _ in range(4):
            with pytest.raises(RefusedError) as refused:
                rig.vault.phones.pair(body(phone))
            codes.append(refused.value.code)
        assert codes == ["P_MAC", "P_MAC", "P_MAC", "P_CLOSED"]


def test_the_card_pairs_only_while_a_window_is_open(rig: Rig) -> None:
    card, phone = parse_link(rig.card.link), FakePhone()
    sign_pub, open_pub = raw_public(phone.sign_key), raw_public(phone.open_key)
    mac = phone_mac(card.secret, SPKI, sign_pub, open_pub)
    body: Any = {"name": "Card", "sign_pub": b64(sign_pub), "open_pub": b64(open_pub), "mac": b64(mac)}
    with pytest.raises(RefusedError):
        rig.vault.phones.pair(body)
    rig.vault.phones.open_window()
    assert rig.vault.phones.pair(body)["phone"] == phone.kid


def test_nothing_is_answered_without_a_session(rig: Rig) -> None:
    for verb in ("status", "requests", "request", "segments", "clips", "log", "phones", "stanzas", "nonce"):
        refused = ask_page(rig, verb, {"session": "nobody's"})
        assert isinstance(refused, RefusedError)
        assert refused.code == "NO_SESSION"


def test_a_waiting_phone_sees_no_footage(rig: Rig) -> None:
    segment = rig.record()
    request_id = rig.ask()
    guest = FakePhone()
    rig.pair(guest)
    session = session_of(rig, guest)
    assert ask_page(rig, "clips", {"session": session}).args["body"] == []
    assert ask_page(rig, "stanzas", {"session": session}).args["body"] == []
    rows = ask_page(rig, "segments", {"session": session, "id": request_id}).args["body"]
    assert [row["stanza"] for row in rows] == [None]
    assert ask_page(rig, "segment", {"session": session, "id": segment}).code == "C_APPROVER"
    assert ask_page(rig, "hand_on", {"session": session, "phone": guest.kid, "stanzas": []}).code == "C_APPROVER"


def test_an_unpaired_phone_is_out_at_once_and_for_good(rig: Rig) -> None:
    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.act(rig.phone.action(rig, "admit", {"phone": other.kid}))
    rig.record()
    session = session_of(rig, other)
    rig.vault.phones.act(rig.phone.action(rig, "unpair", {"phone": other.kid}))
    assert ask_page(rig, "status", {"session": session}).code == "NO_SESSION"
    asked = "SELECT count(*) FROM stanzas WHERE kid = ?"
    count = rig.vault.db.tx.execute(asked, (other.open_kid,)).fetchone()
    assert count == (0,)
    with pytest.raises(RefusedError):
        rig.pair(other)


def test_a_later_phone_opens_what_is_handed_on_and_nothing_else(rig: Rig) -> None:
    old = rig.record()
    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.admit(other.kid)
    fresh = rig.record()
    session = session_of(rig, other)
    rows = ask_page(rig, "stanzas", {"session": session}).args["body"]
    assert [row["id"] for row in rows] == [fresh]
    mine: Any = ask_page(rig, "stanzas", {"session": session_of(rig, rig.phone)}).args["body"]
    sealed = next(row for row in mine if row["id"] == old)["stanza"]
    cek = hpke_open(rig.phone.open_key, unb64(sealed), stanza_info(old, rig.phone.open_kid))
    again = hpke_seal(raw_public(other.open_key), cek, stanza_info(old, other.open_kid))
    args = {
        "session": session_of(rig, rig.phone),
        "phone": other.kid,
        "stanzas": [{"id": old, "stanza": b64(again)}],
    }
    ask_page(rig, "hand_on", args)
    rows = ask_page(rig, "stanzas", {"session": session}).args["body"]
    assert {row["id"] for row in rows} == {old, fresh}


def test_recipients_follow_the_phones(rig: Rig) -> None:
    def kinds() -> list[str]:
        raw = (rig.config.device.state_dir / "recipients.json").read_bytes()
        value: Any = parse(raw, max_bytes=65_536)
        return sorted(one["kind"] for one in value["recipients"])

    assert kinds() == ["button", "phone", "recovery"]
    other = FakePhone()
    rig.pair(other)
    assert kinds() == ["button", "phone", "recovery"]
    rig.vault.phones.admit(other.kid)
    assert kinds() == ["button", "phone", "phone", "recovery"]
    rig.vault.phones.unpair(rig.phone.kid)
    assert kinds() == ["button", "phone", "recovery"]
