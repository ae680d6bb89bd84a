"""What happens to a request in the real vault: the yes, its delivery, the no, the stop, a power cut between."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agent.consent.consent_form import Decision
from agent.consent.states import State
from agent.core.encoding import unb64
from agent.core.errors import BugError, DoorbellError, RefusedError
from agent.core.seal import grant_info, open_cek
from agent.core.segment_file import open_segment
from tests.fakes.vault_rig import GRACE_S, FakePhone, Rig, code_of


def _states(rig: Rig, request_id: str) -> list[str]:
    return [entry["to"] for entry in rig.log() if entry["t"] == "state" and entry["request"] == request_id]


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
    named = json.loads(unb64(json.loads(rig.phone.consent(rig, request_id))["payload"]))["segments"]
    assert code_of(rig.decide(request_id, guest.consent(rig, request_id, segments=named))) == "C_APPROVER"
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


def test_the_days_shares_are_bounded_even_when_stopped(rig: Rig) -> None:
    rig.record()
    for _ in range(3):
        request_id = rig.ask()
        assert rig.share(request_id) is State.GRACE
        rig.vault.decisions.stop(request_id)
        rig.decide(request_id, rig.phone.consent(rig, request_id, "decline"))
    assert code_of(rig.share(rig.ask())) == "C_RATE"


def test_a_yes_holds_however_often_the_phone_looks_meanwhile(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask()
    envelope = rig.phone.consent(rig, request_id)
    row = rig.vault.house.phones[rig.phone.kid]
    for _ in range(500):
        rig.vault.answers.request(request_id, row)
    assert rig.decide(request_id, envelope) is State.GRACE
