"""The owner's settings: a closed list, only narrowing, and nothing in it that says yes."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.limits_of_owner import CEILINGS, Limits
from agent.consent.settings import (
    MAX_MUTED,
    NAMES,
    Settings,
    approvals_of,
    changed,
    limits_of,
    read_change,
)
from agent.core.errors import RefusedError

RANGES = {
    "cell_precision": (3, 4),
    "max_window_s": (1, 43_200),
    "max_area_m2": (65_000, 1_300_000),
    "max_lookback_days": (1, 30),
    "daily_approvals": (1, 20),
}


def wrong(*values: Any) -> tuple[Any, ...]:
    return values


def refused(value: Any) -> bool:
    try:
        read_change(value)
    except RefusedError as error:
        return error.code == "E_SCHEMA"
    return False


@pytest.mark.parametrize("name", RANGES)
def test_each_limit_has_its_range(name: str) -> None:
    low, high = RANGES[name]
    for good in (low, high, None):
        assert read_change({name: good}) == {name: good}
    for bad in wrong(low - 1, high + 1, True, str(low), [low], {}):
        assert refused({name: bad})


@pytest.mark.parametrize("name", ["requests_enabled", "alerts"])
def test_each_switch_is_a_boolean(name: str) -> None:
    for good in (True, False):
        assert read_change({name: good}) == {name: good}
    for bad in wrong(1, 0, "yes", None, []):
        assert refused({name: bad})


def test_muted_agencies_are_a_bounded_list_of_distinct_ids() -> None:
    assert read_change({"muted_agencies": ["us-b", "us-a"]}) == {"muted_agencies": ("us-a", "us-b")}
    assert read_change({"muted_agencies": []}) == {"muted_agencies": ()}
    assert MAX_MUTED == 256
    many = [f"us-{n}" for n in range(MAX_MUTED + 1)]
    assert not refused({"muted_agencies": many[1:]})
    for bad in wrong(many, "us-a", ["us-a", "us-a"], ["A"], [1], [None], None):
        assert refused({"muted_agencies": bad})


def test_quiet_hours_are_two_minutes_of_the_day_or_none() -> None:
    assert read_change({"quiet_hours": [0, 1439]}) == {"quiet_hours": (0, 1439)}
    assert read_change({"quiet_hours": None}) == {"quiet_hours": None}
    for bad in wrong([60, 60], [0, 1440], [-1, 5], [1], [1, 2, 3], [True, 5], "22-6", {}, 5):
        assert refused({"quiet_hours": bad})


@pytest.mark.parametrize(
    ("hours", "quiet", "loud"),
    [((60, 120), [60, 119], [59, 120]), ((1320, 360), [1320, 1439, 0, 359], [360, 1319])],
)
def test_quiet_hours_may_span_midnight(hours: tuple[int, int], quiet: list[int], loud: list[int]) -> None:
    settings = Settings(requests_enabled=True, quiet_hours=hours)
    assert all(settings.is_quiet(minute) for minute in quiet)
    assert not any(settings.is_quiet(minute) for minute in loud)
    assert not Settings(requests_enabled=True).is_quiet(0)


def test_the_list_of_settings_is_closed_and_mirrors_the_type() -> None:
    assert {item.name for item in dataclasses.fields(Settings)} == NAMES
    for bad in wrong({"auto_approve": True}, {"alerts": True, "grace_s": 5}, {}, [], None, "alerts"):
        assert refused(bad)


def test_alerts_are_shown_and_nothing_is_muted_until_the_owner_says_so() -> None:
    settings = Settings(requests_enabled=False)
    assert settings.alerts
    assert settings.muted_agencies == ()


def test_a_change_changes_only_what_it_names() -> None:
    before = Settings(requests_enabled=False)
    after = changed(before, read_change({"requests_enabled": True, "max_window_s": 3600}))
    assert after == Settings(requests_enabled=True, max_window_s=3600)
    assert changed(after, read_change({"max_window_s": None})) == Settings(requests_enabled=True)
    assert after.to_json()["max_window_s"] == 3600


limits = st.one_of(st.none(), st.integers(1, 10**7))


@given(limits, limits, limits, limits, limits, limits, st.booleans())
def test_no_combination_of_settings_and_configuration_widens(
    window: int | None,
    area: int | None,
    days: int | None,
    their_window: int | None,
    their_area: int | None,
    their_days: int | None,
    enabled: bool,
) -> None:
    settings = Settings(requests_enabled=enabled, max_window_s=window, max_area_m2=area, max_lookback_days=days)
    owner = limits_of(settings, max_window_s=their_window, max_area_m2=their_area, max_lookback_days=their_days)
    directory = Limits(window_s=40_000, area_m2=10**6, lookback_s=10**6, ttl_s=10**5)
    narrowed = owner.narrow(directory)
    for got, bounds in (
        (narrowed.window_s, (CEILINGS.window_s, directory.window_s, window, their_window)),
        (narrowed.area_m2, (CEILINGS.area_m2, directory.area_m2, area, their_area)),
        (
            narrowed.lookback_s,
            (
                CEILINGS.lookback_s,
                directory.lookback_s,
                None if days is None else days * 86_400,
                None if their_days is None else their_days * 86_400,
            ),
        ),
    ):
        assert got == min(bound for bound in bounds if bound is not None)
    assert owner.enabled is enabled


@given(st.one_of(st.none(), st.integers(1, 20)), st.integers(1, 20))
def test_the_days_approvals_are_the_fewer(own: int | None, configured: int) -> None:
    got = approvals_of(Settings(requests_enabled=True, daily_approvals=own), daily_approvals=configured)
    assert got == min(configured, own or configured)


def test_muted_agencies_reach_check_12() -> None:
    owner = limits_of(
        Settings(requests_enabled=True, muted_agencies=("us-a",)),
        max_window_s=None,
        max_area_m2=None,
        max_lookback_days=None,
    )
    assert not owner.receives_from("us-a")
    assert owner.receives_from("us-b")


def test_a_day_of_look_back_is_86400_seconds() -> None:
    settings = Settings(requests_enabled=True, max_lookback_days=2)
    owner = limits_of(settings, max_window_s=None, max_area_m2=None, max_lookback_days=None)
    assert owner.lookback_s == 172_800
