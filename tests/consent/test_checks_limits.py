"""Checks 9 to 11: order and limits, the clock, replay."""

from dataclasses import replace
from typing import Any

import pytest

from agent.consent import checks
from agent.consent.limits_of_owner import OwnerLimits
from agent.core.ids import sha256_hex
from agent.core.strict_json import dump
from tests.consent.checking import WILLING, check, ends
from tests.fakes.consent_requests import CAMERA, NOW_S, SQUARE, agency_file, request, signed_request, view

# 9: order and limits.


@pytest.mark.parametrize(
    "changes",
    [
        {"from": NOW_S - 3_600},
        {"from": NOW_S - 3_599},
        {"to": NOW_S - 59},
        {"exp": NOW_S - 60},
        {"exp": NOW_S - 61},
    ],
)
def test_9_times_out_of_order_are_refused(changes: Any) -> None:
    assert ends(check(signed_request(**changes))) == ("E_ORDER", 9)


def test_9_the_window_may_end_when_the_request_is_issued() -> None:
    assert check(signed_request(to=NOW_S - 60)).code == "OK"


def shrunk(factor: float) -> list[list[int]]:
    return [
        [CAMERA[0] + round((lat - CAMERA[0]) * factor), CAMERA[1] + round((lon - CAMERA[1]) * factor)]
        for lat, lon in SQUARE
    ]


@pytest.mark.parametrize(
    ("changes", "directory", "owner", "code"),
    [
        ({"from": NOW_S - 43_260, "to": NOW_S - 60}, {}, {}, "OK"),
        ({"from": NOW_S - 43_261, "to": NOW_S - 60}, {}, {}, "E_LIMIT"),
        ({}, {"window_s": 3_600}, {}, "OK"),
        ({}, {"window_s": 3_599}, {}, "E_LIMIT"),
        ({}, {}, {"window_s": 3_600}, "OK"),
        ({}, {}, {"window_s": 3_599}, "E_LIMIT"),
        ({}, {"window_s": 3_599}, {"window_s": 3_600}, "E_LIMIT"),
        ({"from": NOW_S - 43_261, "to": NOW_S - 60}, {"window_s": 99_999}, {"window_s": 99_999}, "E_LIMIT"),
        ({"from": NOW_S - 60 - 2_592_000, "to": NOW_S - 2_580_000}, {}, {}, "OK"),
        ({"from": NOW_S - 61 - 2_592_000, "to": NOW_S - 2_580_000}, {}, {}, "E_LIMIT"),
        ({}, {"lookback_s": 7_140}, {}, "OK"),
        ({}, {"lookback_s": 7_139}, {}, "E_LIMIT"),
        ({}, {}, {"lookback_s": 7_140}, "OK"),
        ({}, {}, {"lookback_s": 7_139}, "E_LIMIT"),
        ({"exp": NOW_S - 60 + 604_800}, {}, {}, "OK"),
        ({"exp": NOW_S - 59 + 604_800}, {}, {}, "E_LIMIT"),
        ({"exp": NOW_S - 59 + 604_800}, {"ttl_s": 9_999_999}, {}, "E_LIMIT"),
        ({}, {"ttl_s": 86_460}, {}, "OK"),
        ({}, {"ttl_s": 86_459}, {}, "E_LIMIT"),
        ({}, {"area_m2": 90_000}, {}, "OK"),
        ({}, {"area_m2": 89_000}, {}, "E_LIMIT"),
        ({}, {}, {"area_m2": 90_000}, "OK"),
        ({}, {}, {"area_m2": 89_000}, "E_LIMIT"),
        ({"area": shrunk(0.86)}, {}, {}, "OK"),
        ({"area": shrunk(0.84)}, {}, {}, "E_LIMIT"),
        ({"area": shrunk(3.79)}, {}, {}, "OK"),
        ({"area": shrunk(3.82)}, {}, {}, "E_LIMIT"),
        ({"area": shrunk(3.82)}, {"area_m2": 9_999_999}, {"area_m2": 9_999_999}, "E_LIMIT"),
    ],
)
def test_9_the_lowest_of_ceiling_directory_and_owner_holds(
    changes: Any, directory: Any, owner: Any, code: str
) -> None:
    limits = agency_file()["limits"] | directory
    outcome = check(
        signed_request(**changes),
        view=view(agencies=[agency_file(limits=limits)]),
        owner=replace(WILLING, **owner),
    )
    assert ends(outcome) == (code, 9 if code != "OK" else 0)


def test_9_an_area_of_exactly_the_floor_and_of_exactly_the_ceiling_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    for size, code in ((64_999.9, "E_LIMIT"), (65_000.0, "OK"), (1_300_000.0, "OK"), (1_300_000.1, "E_LIMIT")):
        monkeypatch.setattr(checks, "area_m2", lambda _points, size=size: size)
        assert check(signed_request()).code == code


# 10: the clock.


@pytest.mark.parametrize("trusted_wrongly", [{}, {"exp": NOW_S}, {"iat": NOW_S + 301}])
def test_10_without_a_trusted_clock_it_is_put_off(trusted_wrongly: Any) -> None:
    assert ends(check(signed_request(**trusted_wrongly), trusted=False)) == ("D_CLOCK", 10)


def test_10_a_request_expires_at_exp() -> None:
    assert check(signed_request(exp=NOW_S + 1)).code == "OK"
    assert ends(check(signed_request(exp=NOW_S))) == ("E_EXPIRED", 10)


def test_10_iat_may_be_300_s_ahead() -> None:
    assert check(signed_request(iat=NOW_S + 300)).code == "OK"
    assert ends(check(signed_request(iat=NOW_S + 301))) == ("E_FUTURE", 10)


# 11: replay.


def test_11_the_same_bytes_again_are_a_silent_duplicate() -> None:
    outcome = check(signed_request(), seen={request()["id"]: sha256_hex(dump(request()))}.get)
    assert ends(outcome) == ("I_DUPLICATE", 11)
    assert not outcome.remember


def test_11_other_bytes_under_a_known_id_are_refused() -> None:
    outcome = check(signed_request(), seen={request()["id"]: "0" * 64}.get)
    assert ends(outcome) == ("E_REPLAY", 11)
    assert not outcome.remember


def test_11_an_id_is_remembered_even_when_a_later_check_ends_it() -> None:
    assert check(signed_request(), owner=OwnerLimits(enabled=False)).remember
    assert check(signed_request(), overlaps=lambda _a, _b: False).remember
    assert not check(signed_request(exp=NOW_S)).remember
