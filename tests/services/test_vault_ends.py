"""How a request ends without its delivery, in the real vault: cancelled, expired, too late, unconfirmed."""

import pytest

from tests.fakes.vault_rig import GRACE_S, Rig, code_of


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
