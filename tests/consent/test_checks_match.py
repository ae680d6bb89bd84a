"""Checks 12 to 15: the owner, the area, the footage, the flood."""

from dataclasses import replace
from typing import Any

import pytest

from agent.consent.limits_of_owner import OwnerLimits
from agent.consent.outcome import FloodCounts
from tests.consent.checking import CALM, check, ends
from tests.fakes.consent_requests import AGENCY, CAMERA, NOW_S, OTHER_AGENCY, signed_request

# 12-15: owner, area, footage, flood.


def test_12_requests_that_are_off_or_muted_are_silent() -> None:
    assert ends(check(signed_request(), owner=OwnerLimits(enabled=False))) == ("I_MUTED", 12)
    assert ends(check(signed_request(), owner=OwnerLimits(True, frozenset({AGENCY})))) == ("I_MUTED", 12)
    assert check(signed_request(), owner=OwnerLimits(True, frozenset({OTHER_AGENCY}))).code == "OK"


def test_13_a_camera_outside_is_silent() -> None:
    assert ends(check(signed_request(), camera=(CAMERA[0] + 20_000, CAMERA[1]))) == ("I_NO_AREA", 13)


def test_14_the_index_is_asked_for_the_window_in_milliseconds() -> None:
    asked = []

    def overlaps(from_ms: int, to_ms: int) -> bool:
        asked.append((from_ms, to_ms))
        return False

    assert ends(check(signed_request(), overlaps=overlaps)) == ("I_NO_FOOTAGE", 14)
    assert asked == [((NOW_S - 7_200) * 1_000, (NOW_S - 3_600) * 1_000)]


def test_14_the_index_is_not_asked_when_an_earlier_check_ends_it() -> None:
    def overlaps(_from_ms: int, _to_ms: int) -> bool:
        pytest.fail("the index was asked")

    check(signed_request(), overlaps=overlaps, owner=OwnerLimits(enabled=False))
    check(signed_request(), overlaps=overlaps, camera=(0, 0))


@pytest.mark.parametrize(
    ("figure", "most"), [("open_agency", 5), ("agency_case_30d", 2), ("pending", 20), ("passed_24h", 50)]
)
def test_15_a_flood_is_withheld_from_each_limit_on(figure: str, most: int) -> None:
    assert check(signed_request(), counts=lambda _: replace(CALM, **{figure: most - 1})).code == "OK"
    outcome = check(signed_request(), counts=lambda _: replace(CALM, **{figure: most}))
    assert ends(outcome) == ("E_FLOOD", 15)
    assert outcome.request is not None


def test_15_the_figures_are_asked_for_this_request_and_only_when_it_matches() -> None:
    asked = []

    def counts(known: Any) -> FloodCounts:
        asked.append(known.case)
        return CALM

    check(signed_request(), counts=counts, camera=(0, 0))
    assert asked == []
    check(signed_request(case="24-000077"), counts=counts)
    assert asked == ["24-000077"]
