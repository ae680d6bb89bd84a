"""The parts of the list: on arrival, for a match, at a share and before an upload."""

from dataclasses import replace
from typing import Any

import pytest

from agent.consent.checks import check_again, check_arrival, check_match
from agent.consent.limits_of_owner import OwnerLimits
from agent.consent.outcome import Outcome
from tests.consent.checking import CALM, WILLING, bend_signature, check, ends
from tests.fakes.consent_requests import (
    AGENCY,
    CAMERA,
    DISPATCH_2,
    ENC_2,
    NOW_S,
    SIGN_2,
    agency_file,
    entry,
    platform_file,
    signed_request,
    view,
)

# The parts of the list.


def test_arrival_runs_1_to_11_only() -> None:
    known: dict[str, Any] = {"view": view(), "now_s": NOW_S, "trusted": True, "seen": {}.get}
    outcome = check_arrival(signed_request(), owner=OwnerLimits(enabled=False), **known)
    assert ends(outcome) == ("OK", 0)
    assert outcome.remember
    late = check_arrival(signed_request(exp=NOW_S), owner=WILLING, **known)
    assert ends(late) == ("E_EXPIRED", 10)


def test_arrival_knows_the_owners_limits() -> None:
    narrow = replace(WILLING, window_s=3_599)
    known: dict[str, Any] = {"view": view(), "now_s": NOW_S, "trusted": True, "seen": {}.get}
    assert check_arrival(signed_request(), owner=narrow, **known).code == "E_LIMIT"


def test_a_match_can_be_asked_again_when_settings_changed() -> None:
    known = check(signed_request(), owner=OwnerLimits(enabled=False)).request
    assert known is not None
    again: dict[str, Any] = {"camera": CAMERA, "overlaps": lambda _a, _b: True, "counts": lambda _: CALM}
    assert ends(check_match(known, owner=OwnerLimits(enabled=False), **again)) == ("I_MUTED", 12)
    outcome = check_match(known, owner=WILLING, **again)
    assert ends(outcome) == ("OK", 0)
    assert outcome.request == known
    assert not outcome.remember


def again(raw: bytes, **known: Any) -> Outcome:
    usual: dict[str, Any] = {"view": view(), "now_s": NOW_S, "trusted": True, "owner": WILLING}
    return check_again(raw, **(usual | known))


def test_checked_again_a_request_that_is_still_good_passes_whatever_the_owner_receives() -> None:
    assert ends(again(signed_request())) == ("OK", 0)
    assert ends(again(signed_request(), owner=OwnerLimits(enabled=False))) == ("OK", 0)


@pytest.mark.parametrize("uploading", [False, True])
def test_checked_again_a_revoked_dispatch_key_cancels(uploading: bool) -> None:
    outcome = again(signed_request(), view=view(platform_file(dispatch=[entry(DISPATCH_2)])), uploading=uploading)
    assert ends(outcome) == ("E_KEY", 4)
    assert not outcome.needs_dispatch


@pytest.mark.parametrize("uploading", [False, True])
def test_checked_again_without_a_directory_it_waits(uploading: bool) -> None:
    assert ends(again(signed_request(), view=None, uploading=uploading)) == ("D_DIRECTORY", 4)


@pytest.mark.parametrize("uploading", [False, True])
def test_checked_again_an_agency_that_is_not_looked_up_under_the_new_directory_waits(uploading: bool) -> None:
    outcome = again(signed_request(), view=view(agencies=[]), uploading=uploading)
    assert ends(outcome) == ("D_DIRECTORY", 7)
    assert outcome.needs_agency == AGENCY


@pytest.mark.parametrize(
    ("agency", "code"),
    [
        ({"status": "suspended"}, "E_AGENCY"),
        ({"sign": [entry(SIGN_2)]}, "E_SIG"),
        ({"enc": [entry(ENC_2)]}, "E_REPLY"),
        ({"endpoints": []}, "E_REPLY"),
    ],
)
@pytest.mark.parametrize("uploading", [False, True])
def test_checked_again_what_the_directory_took_back_cancels(agency: Any, code: str, uploading: bool) -> None:
    assert again(signed_request(), view=view(agencies=[agency_file(**agency)]), uploading=uploading).code == code


def test_checked_again_order_limits_and_clock_hold_at_a_share_but_not_during_an_upload() -> None:
    raw = signed_request()
    for known, code in (
        ({"owner": replace(WILLING, window_s=1)}, "E_LIMIT"),
        ({"now_s": NOW_S + 86_400}, "E_EXPIRED"),
        ({"trusted": False}, "D_CLOCK"),
    ):
        assert again(raw, **known).code == code
        assert again(raw, **known, uploading=True).code == "OK"


def test_checked_again_the_signatures_are_verified_anew() -> None:
    assert again(bend_signature(signed_request(), 0)).code == "E_SIG"
    assert again(bend_signature(signed_request(), 1)).code == "E_SIG"
