"""What happens to a request in the real vault: arrival, decision, grace, release, receipt, and every way out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.consent.button import Gesture
from agent.consent.consent_form import Decision
from agent.consent.states import State
from agent.core.encoding import unb64
from agent.core.errors import BugError, DoorbellError, RefusedError
from agent.core.ids import sha256_hex
from agent.core.seal import grant_info, open_cek
from agent.core.segment_file import open_segment, split
from tests.fakes.platform import square
from tests.fakes.vault_rig import FakePhone, Rig, code_of

GRACE_S = 61


def _states(rig: Rig, request_id: str) -> list[str]:
    return [entry["to"] for entry in rig.log() if entry["t"] == "state" and entry["request"] == request_id]


# ---- the main line


def test_a_yes_hands_over_exactly_the_named_segments_after_the_grace_time(rig: Rig) -> None:
    inside, outside = rig.record(), rig.record(start_s=rig.clock.utc_ms() // 1_000 - 7_200)
    request_id = rig.ask()
    assert rig.share(request_id) is State.GRACE
    rig.pass_s(55)
    assert rig.uplink.received == {}
    rig.pass_s(10)
    assert rig.state(request_id) == "DELIVERED"
    assert set(rig.uplink.received) == {inside}
    assert outside not in rig.uplink.received
    assert _states(rig, request_id) == ["PENDING", "GRACE", "UPLOADING", "HANDED_OVER", "DELIVERED"]


def test_what_arrives_opens_with_the_agencys_key_and_no_other(rig: Rig) -> None:
    segment = rig.record()
    request_id = rig.ask()
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    file = rig.uplink.received[segment]
    submission: Any = json.loads(unb64(json.loads(rig.uplink.submissions[0])["payload"]))
    consent: Any = json.loads(unb64(submission["consents"][0]["payload"]))
    named = consent["segments"][0]
    info = grant_info(consent["request"]["sha256"], named["sha256"])
    cek = open_cek(rig.platform.agency_enc, unb64(named["wrap"]), info)
    meta, mp4 = open_segment(file, cek)
    assert meta.id == segment
    assert mp4.startswith(b"a film of")
    with pytest.raises(RefusedError):
        open_cek(FakePhone().open_key, unb64(named["wrap"]), info)


def test_the_submission_shows_what_section_13_lists(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask()
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    submission: Any = json.loads(unb64(json.loads(rig.uplink.submissions[0])["payload"]))
    kinds = [json.loads(unb64(leaf["entry"]))["t"] for leaf in submission["leaves"]]
    assert sorted(kinds) == ["consent", "paired", "segment"]
    assert submission["button_pub"] is None
    assert [one["phone"] for one in submission["approvers"]] == [rig.phone.kid]


# ---- the owner's no, stop, and change of mind


def test_a_decline_is_quiet_and_final_unless_its_approver_changes_their_mind(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    before = len(rig.uplink.calls)
    decline = rig.phone.consent(rig, request_id, "decline")
    assert rig.decide(request_id, decline) is State.DECLINED
    assert len(rig.uplink.calls) == before
    consent_id = json.loads(unb64(json.loads(decline)["payload"]))["id"]
    assert code_of(rig.share(request_id)) == "C_STATE"
    again = rig.phone.consent(rig, request_id, prev=consent_id)
    assert rig.decide(request_id, again) is State.GRACE


def test_a_waiting_phone_vetoes_but_cannot_share(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    guest = FakePhone()
    assert rig.pair(guest)["state"] == "waiting"
    assert code_of(rig.decide(request_id, guest.consent(rig, request_id, "share", segments=[]))) == "E_SCHEMA"
    rig.share(request_id)
    assert rig.decide(request_id, guest.consent(rig, request_id, "decline")) is State.DECLINED
    rig.pass_s(GRACE_S)
    assert rig.uplink.received == {}


def test_a_stop_in_the_grace_time_brings_the_request_back(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.pass_s(30)
    assert rig.vault.decisions.stop(request_id) is State.PENDING
    rig.pass_s(120)
    assert rig.state(request_id) == "PENDING"
    assert rig.uplink.received == {}


def test_a_grace_time_that_was_stopped_leaves_the_next_one_alone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    late: list[Callable[[], None]] = []
    with monkeypatch.context() as patch:  # a directory that is slow when the first grace time is over
        patch.setattr(rig.vault.directory, "when_ready", lambda _agency, action: late.append(action))
        rig.pass_s(GRACE_S)
    rig.vault.decisions.stop(request_id)
    assert rig.share(request_id) is State.GRACE
    left_s = rig.vault.decisions.seconds_left(rig.vault.requests.row(request_id))
    late[0]()
    assert rig.vault.decisions.seconds_left(rig.vault.requests.row(request_id)) == left_s == 60
    rig.pass_s(55)
    assert rig.state(request_id) == "GRACE"
    rig.pass_s(10)
    assert rig.state(request_id) == "DELIVERED"


def test_a_stop_while_uploading_withdraws_and_deletes(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.holds_back = True
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "UPLOADING"
    rig.vault.uploads.created(request_id, rig.uplink.calls[-1][1]["segment"], "loc-abcdefgh")
    assert rig.vault.decisions.stop(request_id) is State.WITHDRAWN
    rig.uplink.let_go()
    rig.settle()
    assert rig.uplink.submissions == []
    discarded = [args for verb, args in rig.uplink.calls if verb == "discard"]
    assert discarded[0]["locations"] == ["loc-abcdefgh"]


def test_nothing_can_be_stopped_once_it_was_handed_over(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    with pytest.raises(RefusedError) as refused:
        rig.vault.decisions.stop(request_id)
    assert refused.value.code == "C_STATE"


# ---- what changes between the yes and the upload


def test_an_agency_suspended_in_the_grace_time_cancels(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.platform.status, rig.platform.version = "suspended", 2
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "CANCELLED"
    assert rig.uplink.received == {}


def test_a_revoked_dispatch_key_cancels_what_is_pending(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.platform.serves_dispatch, rig.platform.version = [Ed25519PrivateKey.generate()], 2
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    assert rig.state(request_id) == "CANCELLED"


def test_a_replaced_agency_key_stops_an_upload_under_way(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.fails = True
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "UPLOADING"
    rig.platform.agency_enc, rig.platform.version = FakePhone().open_key, 2
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    assert rig.state(request_id) == "CANCELLED"
    rig.uplink.fails = False
    rig.pass_s(1_800)
    assert rig.uplink.received == {}


def test_an_expired_timestamp_holds_a_share_back(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    raw = rig.phone.consent(rig, request_id)
    rig.platform.is_reachable = False
    rig.clock.pass_s(200)
    rig.vault.directory._directory._view = None  # type: ignore[attr-defined]
    assert code_of(rig.decide(request_id, raw)) == "C_STALE"


def test_a_timestamp_that_runs_out_in_the_grace_time_waits_for_a_fresh_one(rig: Rig) -> None:
    rig.platform.life_s = 30
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    request_id = rig.ask_the_owner()
    assert rig.share(request_id) is State.GRACE
    rig.platform.is_reachable = False
    rig.clock.pass_s(61)
    rig.settle()
    rig.clock.pass_s(60)
    rig.settle()
    assert rig.state(request_id) == "GRACE"
    assert rig.uplink.received == {}


def test_a_changed_segment_file_is_not_handed_over(rig: Rig) -> None:
    segment = rig.record()
    request_id = rig.ask()
    rig.share(request_id)
    path = rig.config.device.state_dir / "segments" / f"{segment}.seg"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.chmod(0o640)
    path.write_bytes(raw)
    rig.pass_s(GRACE_S)
    assert rig.uplink.received == {}
    assert rig.state(request_id) == "WITHDRAWN"


def test_a_phone_unpaired_in_the_grace_time_releases_nothing(rig: Rig) -> None:
    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.admit(other.kid)
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.vault.phones.unpair(rig.phone.kid)
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "PENDING"
    assert rig.uplink.received == {}


# ---- cancels, expiry, time limits


def test_a_cancel_ends_a_request_in_its_grace_time(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.deliver("can", rig.platform.cancel(request_id, rig.clock.utc_ms() // 1_000))
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "CANCELLED"
    assert rig.uplink.received == {}


def test_a_cancel_of_another_agency_does_nothing(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.deliver("can", rig.platform.cancel(request_id, rig.clock.utc_ms() // 1_000, "us-ca-other"))
    assert rig.state(request_id) == "PENDING"


def test_a_cancel_that_comes_first_keeps_the_request_from_the_owner(rig: Rig) -> None:
    rig.record()
    now_s = rig.clock.utc_ms() // 1_000
    request_id, raw = rig.platform.request(from_s=now_s - 600, to_s=now_s - 10, iat_s=now_s - 5)
    rig.deliver("can", rig.platform.cancel(request_id, now_s))
    rig.deliver("req", raw)
    assert rig.state(request_id) == ""
    rig.deliver("req", raw)
    assert rig.state(request_id) == ""


@pytest.mark.parametrize("comes_again", [False, True])
def test_an_early_cancel_is_kept_even_where_it_came_before_the_time(rig: Rig, *, comes_again: bool) -> None:
    now_s = rig.clock.utc_ms() // 1_000
    request_id, raw = rig.platform.request(from_s=now_s - 600, to_s=now_s - 10, iat_s=now_s - 5)
    cancel = rig.platform.cancel(request_id, now_s)
    rig.clock.is_synchronised = False
    rig.clock.reboot()
    rig.clock.jump_s(-now_s)  # no clock that survives a power cut
    rig.restart()
    rig.deliver("can", cancel)
    rig.clock.jump_s(now_s)
    rig.clock.is_synchronised = True
    rig.pass_s(10)
    if comes_again:
        rig.deliver("can", cancel)
    rig.pass_s(7_300, step_s=600)
    rig.record(start_s=now_s - 100)
    rig.deliver("req", raw)
    assert rig.state(request_id) == ""
    assert rig.vault.house.rejected == {}


def test_an_unanswered_request_expires(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.pass_s(86_400, step_s=3_600)
    assert rig.state(request_id) == "EXPIRED"
    assert code_of(rig.share(request_id)) == "C_STATE"


def test_an_upload_that_never_succeeds_fails_after_72_hours(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.fails = True
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    rig.pass_s(72 * 3_600 - 120, step_s=600)
    assert rig.state(request_id) == "UPLOADING"
    rig.pass_s(600)
    assert rig.state(request_id) == "FAILED"


def test_a_wrong_receipt_does_not_deliver(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    good = rig.uplink.receipt
    rig.uplink.receipt = lambda envelope, _request: good(envelope, "0" * 32)
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "HANDED_OVER"
    rig.uplink.receipt = good
    rig.pass_s(1_800)
    assert rig.state(request_id) == "DELIVERED"
    assert len(set(rig.uplink.submissions)) == 1


def test_a_submission_whose_directory_ran_out_is_made_anew(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    good = rig.uplink.receipt
    rig.uplink.receipt = lambda _envelope, _request: b"{}"
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    rig.pass_s(25 * 3_600, step_s=3_600)
    rig.uplink.receipt = good
    rig.pass_s(1_800)
    assert rig.state(request_id) == "DELIVERED"
    assert len(set(rig.uplink.submissions)) == 2


def test_no_receipt_for_72_hours_is_unconfirmed(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.receipt = lambda _envelope, _request: b"{}"
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    rig.pass_s(72 * 3_600 + 60, step_s=3_600)
    assert rig.state(request_id) == "UNCONFIRMED"


# ---- power cuts


def test_after_a_power_cut_the_grace_time_starts_again_in_full(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.pass_s(50)
    rig.restart()
    rig.pass_s(50)
    assert rig.state(request_id) == "GRACE"
    assert rig.uplink.received == {}
    rig.pass_s(15)
    assert rig.state(request_id) == "DELIVERED"


def test_after_a_power_cut_an_upload_goes_on(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.fails = True
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    rig.restart()
    rig.uplink.fails = False
    rig.pass_s(1_800)
    assert rig.state(request_id) == "DELIVERED"


def test_after_a_power_cut_a_submission_is_sent_again_as_it_was(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.receipt = lambda _envelope, _request: b"{}"
    rig.share(request_id)
    rig.pass_s(GRACE_S)
    sent = rig.uplink.submissions[0]
    rig.restart()
    rig.pass_s(900)
    assert rig.state(request_id) == "DELIVERED"
    assert set(rig.uplink.submissions) == {sent}


# ---- quiet requests


def test_a_request_elsewhere_waits_quietly_and_leaves_no_diary(rig: Rig) -> None:
    rig.record()
    elsewhere = [[one[0] + 200_000, one[1]] for one in square()]
    request_id = rig.ask(area=elsewhere)
    assert rig.state(request_id) == "QUIET"
    assert not any(entry.get("id") == request_id or entry.get("request") == request_id for entry in rig.log())
    assert rig.vault.answers.requests() == []


def test_turning_requests_on_lets_waiting_ones_through(tmp_path: Path) -> None:
    rig = Rig(tmp_path, requests="")
    rig.vault.house.settings = rig.vault.house.settings.__class__(requests_enabled=False)
    rig.record()
    request_id = rig.ask()
    assert rig.state(request_id) == "QUIET"
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"requests_enabled": True}))
    rig.settle()
    assert rig.state(request_id) == "PENDING"
    rig.close()


def test_a_muted_agency_is_not_heard(rig: Rig) -> None:
    rig.record()
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"muted_agencies": ["us-ca-examplepd"]}))
    request_id = rig.ask()
    assert rig.state(request_id) == "QUIET"


def test_the_same_message_twice_is_one_request(rig: Rig) -> None:
    rig.record()
    now_s = rig.clock.utc_ms() // 1_000
    request_id, raw = rig.platform.request(from_s=now_s - 600, to_s=now_s - 10, iat_s=now_s - 5)
    rig.deliver("req", raw)
    rig.deliver("req", raw)
    assert [entry["t"] for entry in rig.log()].count("request") == 1
    assert rig.state(request_id) == "PENDING"


def test_more_than_the_owner_is_asked_at_once_is_withheld_and_counted(rig: Rig) -> None:
    rig.record()
    ids = [rig.ask() for _ in range(8)]
    assert [rig.state(one) for one in ids].count("PENDING") == 5
    assert rig.vault.answers.status()["withheld"] == 3


def test_what_is_withheld_when_the_owner_lets_requests_in_is_counted_once(rig: Rig) -> None:
    rig.record()
    for enabled, withheld in ((False, 0), (True, 2), (False, 2), (True, 2)):
        rig.vault.phones.act(rig.phone.action(rig, "settings", {"requests_enabled": enabled}))
        if withheld == 0:
            ids = [rig.ask(case="24-1") for _ in range(4)]
        assert rig.vault.answers.status()["withheld"] == withheld
    assert sorted(rig.state(one) for one in ids) == ["PENDING", "PENDING", "QUIET", "QUIET"]
    assert rig.vault.house.rejected == {}


# ---- button and console


def test_the_console_shares_what_its_key_opens(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask()
    answers: list[State | DoorbellError | BugError] = []
    rig.vault.decisions.decide_at_console(request_id, Decision.SHARE, answers.append)
    assert answers == [State.GRACE]
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "DELIVERED"
    submission: Any = json.loads(unb64(json.loads(rig.uplink.submissions[0])["payload"]))
    kinds = sorted(json.loads(unb64(leaf["entry"]))["t"] for leaf in submission["leaves"])
    assert kinds == ["consent", "key", "segment"]


def test_after_a_restart_the_console_opens_nothing_older(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask()
    rig.restart()
    answers: list[Any] = []
    rig.vault.decisions.decide_at_console(request_id, Decision.SHARE, answers.append)
    assert code_of(answers[0]) == "C_LOCKED"


def test_where_a_button_is_wired_a_share_waits_for_the_press(tmp_path: Path) -> None:
    rig = Rig(tmp_path, button="pin = 17")
    rig.record()
    request_id = rig.ask()
    assert rig.share(request_id) is State.CONFIRMING
    rig.pass_s(125)
    assert rig.state(request_id) == "PENDING"
    rig.share(request_id)
    rig.vault.decisions.gesture(Gesture.PRESS)
    assert rig.state(request_id) == "GRACE"
    rig.pass_s(GRACE_S)
    assert rig.state(request_id) == "DELIVERED"
    submission: Any = json.loads(unb64(json.loads(rig.uplink.submissions[0])["payload"]))
    assert len(submission["consents"][0]["signatures"]) == 2
    assert submission["button_pub"] is not None
    rig.close()


def test_a_press_in_the_grace_time_stops(tmp_path: Path) -> None:
    rig = Rig(tmp_path, button="pin = 17")
    rig.record()
    request_id = rig.ask()
    rig.share(request_id)
    rig.vault.decisions.gesture(Gesture.PRESS)
    rig.pass_s(10)
    rig.vault.decisions.gesture(Gesture.PRESS)
    assert rig.state(request_id) == "PENDING"
    rig.close()


# ---- limits of the day


def test_the_days_shares_are_bounded_even_when_stopped(rig: Rig) -> None:
    rig.record()
    for _ in range(3):
        request_id = rig.ask()
        assert rig.share(request_id) is State.GRACE
        rig.vault.decisions.stop(request_id)
        rig.decide(request_id, rig.phone.consent(rig, request_id, "decline"))
    assert code_of(rig.share(rig.ask())) == "C_RATE"


# ---- alerts


def test_an_alert_for_this_area_is_kept_and_told_once(rig: Rig) -> None:
    raw = rig.platform.alert(rig.clock.utc_ms() // 1_000)
    rig.deliver("alert", raw)
    rig.deliver("alert", raw)
    shown: Any = rig.vault.answers.alerts()
    assert [one["title"] for one in shown] == ["Car broken into"]
    assert [name for name, _ in rig.events].count("alert") == 1
    assert [entry["t"] for entry in rig.log()].count("alert") == 1


# ---- evidence of the whole


def test_segments_in_the_log_are_those_in_the_store(rig: Rig) -> None:
    segment = rig.record()
    file = (rig.config.device.state_dir / "segments" / f"{segment}.seg").read_bytes()
    entry = next(one for one in rig.log() if one["t"] == "segment")
    assert entry["sha256"] == sha256_hex(file)
    assert entry["id"] == split(file)[0].id


def test_a_yes_holds_however_often_the_phone_looks_meanwhile(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask()
    envelope = rig.phone.consent(rig, request_id)
    row = rig.vault.house.phones[rig.phone.kid]
    for _ in range(500):
        rig.vault.answers.request(request_id, row)
    assert rig.decide(request_id, envelope) is State.GRACE
