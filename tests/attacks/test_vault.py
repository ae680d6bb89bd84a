"""Attacks on the whole vault: what was captured, prepared or taken over is worth nothing a moment later."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.consent import sqlite_uploads
from agent.consent.button import Gesture
from agent.consent.states import State
from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.ids import Id
from tests.fakes.consent_house import an_id, seed
from tests.fakes.vault_rig import FakePhone, Rig, code_of

GRACE_S = 61


def nothing_left(rig: Rig) -> bool:
    return rig.uplink.received == {} and rig.uplink.submissions == []


def test_a_share_that_was_captured_is_worth_nothing_after_a_stop(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    captured = rig.phone.consent(rig, request_id)
    assert rig.decide(request_id, captured) is State.GRACE
    rig.vault.decisions.stop(request_id)
    assert code_of(rig.decide(request_id, captured)) == "C_NONCE"
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "PENDING"
    assert nothing_left(rig)


def test_a_share_that_was_prepared_before_a_restart_is_worth_nothing(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    prepared = rig.phone.consent(rig, request_id)
    rig.restart()
    assert code_of(rig.decide(request_id, prepared)) == "C_NONCE"


def test_a_share_for_one_request_is_worth_nothing_for_another(rig: Rig) -> None:
    first, second = rig.ask_the_owner(), rig.ask()
    assert code_of(rig.decide(second, rig.phone.consent(rig, first))) == "C_NONCE"
    assert rig.state(second) == "PENDING"


def test_a_page_that_was_taken_over_can_not_approve_without_a_phone(rig: Rig) -> None:
    """It knows every id, every kid and fresh nonces; it has no key."""
    request_id = rig.ask_the_owner()
    good = parse_envelope(rig.phone.consent(rig, request_id), counts=(1,)).payload
    own = Ed25519PrivateKey.from_private_bytes(seed("the page's own, a test key"))
    said: dict[str, Any] = json.loads(good)
    for channel in ("phone", "button", "console"):
        for approver in (rig.phone.kid, rig.vault.house.keys.button.kid):
            payload = json.dumps(said | {"channel": channel, "approver": approver}).encode()
            assert code_of(rig.decide(request_id, sign("consent", payload, [own]))) == "C_SIG"
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "PENDING"
    assert nothing_left(rig)


def test_a_press_confirms_nothing_once_the_phone_that_shared_is_unpaired(wired: Rig) -> None:
    """And the vault lives on: a press must not end it."""
    request_id = wired.ask_the_owner()
    assert wired.share(request_id) is State.CONFIRMING
    wired.vault.phones.unpair(wired.phone.kid)
    wired.vault.decisions.gesture(Gesture.PRESS)
    wired.pass_s(GRACE_S)
    assert wired.state(request_id) == "PENDING"
    assert nothing_left(wired)


def test_who_unpairs_the_last_phone_can_not_pair_an_admitted_one(rig: Rig) -> None:
    rig.vault.phones.unpair(rig.phone.kid)
    thief = FakePhone()
    assert rig.pair(thief)["state"] == "waiting"
    request_id = rig.ask_the_owner()
    assert code_of(rig.decide(request_id, rig.phone.consent(rig, request_id, "decline"))) == "C_APPROVER"


def test_a_phone_that_was_unpaired_can_not_pair_again_under_its_old_keys(rig: Rig) -> None:
    rig.vault.phones.unpair(rig.phone.kid)
    with pytest.raises(RefusedError) as refused:
        rig.pair(rig.phone)
    assert refused.value.code == "C_STATE"


def test_a_phone_unpaired_in_the_middle_of_an_upload_ends_it(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.holds_back = True
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "UPLOADING"
    rig.vault.phones.unpair(rig.phone.kid)
    rig.uplink.holds_back = False
    rig.uplink.let_go()
    rig.pass_s(1_000)
    assert rig.state(request_id) == "WITHDRAWN"
    assert rig.uplink.submissions == []


@pytest.mark.parametrize("gesture", list(Gesture))
def test_no_gesture_answers_a_request_that_waits(wired: Rig, gesture: Gesture) -> None:
    request_id = wired.ask_the_owner()
    for _ in range(5):
        wired.vault.decisions.gesture(gesture)
        wired.pass_s(GRACE_S)
    assert wired.state(request_id) == "PENDING"
    assert nothing_left(wired)


def test_a_guest_can_not_keep_the_card_full_by_looking(rig: Rig) -> None:
    guest = FakePhone()
    assert rig.pair(guest)["state"] == "waiting"
    segment = rig.record()
    request_id = rig.ask()
    vault = rig.vault
    for phone, pinned in ((guest, frozenset()), (rig.phone, {segment})):
        row = vault.house.phones[phone.kid]
        vault.answers.request(request_id, row)
        assert len(vault.answers.segments(request_id, row, -1, 512)) == 1
        assert vault.house.nonces.pinned(rig.clock.boot_ns()) == pinned


def test_an_uplink_that_was_taken_over_can_not_fill_the_card_with_uploads_that_never_were(rig: Rig) -> None:
    segment = rig.record()
    request_id = rig.ask()
    rig.uplink.holds_back = True

    def kept() -> dict[Any, Any]:
        return sqlite_uploads.uploads(rig.vault.db.tx, Id(request_id))

    rig.vault.uploads.created(request_id, segment, "made-up-location")
    assert kept() == {}  # nothing was shared yet
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    for n in range(50):
        rig.vault.uploads.created(request_id, an_id(f"made up {n}"), "made-up-location")
    rig.vault.uploads.created(request_id, segment, "x" * 129)
    rig.vault.uploads.created(request_id, [segment], "made-up-location")
    rig.vault.uploads.created("no request", segment, "made-up-location")
    assert kept() == {}
    rig.vault.uploads.created(request_id, segment, "a-true-location")
    assert kept() == {segment: ("a-true-location", False)}
