"""Many small requests that add up to a wide one are shown together as what they are."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect

from tests.fakes.page_world import Agency, now_ms, request_payload, sign_request
from tests.page.owner_browser import OwnerBrowser

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.fakes.page_vault_state import Pending
    from tests.page.serving import Served

pytestmark = pytest.mark.browser

HOUR_S = 3600
DAY_S = 86_400
NAME = "Example Police Department"

SERIES = """async ({ rows, mine, zone }) => {
  const { seriesOf, repeated } = await import("/static/series.js");
  const { dayNumber, useTimeZone } = await import("/static/words.js");
  useTimeZone(zone);
  return { series: seriesOf(rows, mine, dayNumber), repeated: repeated(rows, dayNumber) };
}"""

TOGETHER = """async (cases) => {
  const { together } = await import("/static/series.js");
  const rows = (windows) => windows.map(([from, to]) => ({ from, to, state: "PENDING" }));
  return cases.map((windows) => together(rows(windows), (s) => Math.floor(s / 86400)));
}"""

HOURS = """async (all) => {
  const { hoursAndMinutes } = await import("/static/words.js");
  return all.map(hoursAndMinutes);
}"""


def row(n: int, start_s: int, end_s: int, **changes: Any) -> dict[str, Any]:
    good = {"id": f"{n:032x}", "agency": "us-ca-examplepd", "agency_name": NAME, "case": "24-000002"}
    return {**good, "from": start_s, "to": end_s, "state": "PENDING", **changes}


def series_of(screen: Page, rows: list[dict[str, Any]], mine: dict[str, Any], zone: str = "UTC") -> dict[str, Any]:
    answer: dict[str, Any] = screen.evaluate(SERIES, {"rows": rows, "mine": mine, "zone": zone})
    return answer


# -- the numbers ----------------------------------------------------------------------------------------------


def test_overlapping_windows_count_once_and_other_agencies_not_at_all(screen: Page) -> None:
    start = 20_000 * DAY_S
    rows = [
        row(4, start + 2 * HOUR_S, start + 4 * HOUR_S),
        row(3, start, start + 3 * HOUR_S, state="DELIVERED"),
        row(2, start - DAY_S, start - DAY_S + 1200, state="GRACE", case="24-000001"),
        row(9, start, start + 9 * HOUR_S, agency="us-ca-otherpd"),
        row(1, start + HOUR_S, start + 2 * HOUR_S, state="DECLINED"),
    ]
    answer = series_of(screen, rows, rows[1])
    assert answer["series"] == {
        "count": 4,
        "rank": 3,
        "seconds": 4 * HOUR_S + 1200,
        "days": 2,
        "shared": 1,
        "agreed": 1,
        "sameCase": 3,
        "elsewhere": 1,
    }
    assert [(one["agency"], one["count"]) for one in answer["repeated"]] == [("us-ca-examplepd", 4)]


def test_a_request_that_the_list_leaves_out_still_counts(screen: Page) -> None:
    start = 20_000 * DAY_S
    rows = [row(1, start, start + HOUR_S)]
    series = series_of(screen, rows, row(2, start + HOUR_S, start + 2 * HOUR_S))["series"]
    assert (series["count"], series["rank"], series["seconds"]) == (2, 2, 2 * HOUR_S)


def test_what_was_verified_counts_and_not_what_the_list_says_of_it(screen: Page) -> None:
    start = 20_000 * DAY_S
    rows = [row(2, start, start + 60, agency="us-ca-otherpd"), row(1, start, start + HOUR_S)]
    series = series_of(screen, rows, row(2, start, start + 5 * HOUR_S))["series"]
    assert (series["count"], series["seconds"]) == (2, 5 * HOUR_S)


def test_days_are_those_of_the_place_where_the_doorbell_stands(screen: Page) -> None:
    evening = int(dt.datetime(2026, 11, 24, 6, 30, tzinfo=dt.UTC).timestamp())  # 22:30 of the 23rd in Los Angeles
    rows = [row(1, evening, evening + HOUR_S)]  # until 23:30 there
    assert series_of(screen, rows, rows[0], "America/Los_Angeles")["series"]["days"] == 1
    later = [row(1, evening, evening + 2 * HOUR_S)]  # past midnight there
    assert series_of(screen, later, later[0], "America/Los_Angeles")["series"]["days"] == 2
    to_midnight = [row(1, evening, evening + 5400)]  # until midnight sharp: the next day isn't touched
    assert series_of(screen, to_midnight, to_midnight[0], "America/Los_Angeles")["series"]["days"] == 1


def test_the_shift_to_winter_time_loses_no_day(screen: Page) -> None:
    first = int(dt.datetime(2026, 10, 31, 20, tzinfo=dt.UTC).timestamp())
    rows = [row(n, first + n * DAY_S, first + n * DAY_S + HOUR_S) for n in range(4)]
    assert series_of(screen, rows[::-1], rows[0], "America/Los_Angeles")["series"]["days"] == 4


def test_sums_agree_with_a_slow_count_of_minutes(screen: Page) -> None:
    window = st.tuples(st.integers(0, 6000), st.integers(0, 900)).map(lambda w: (w[0] * 60, (w[0] + w[1]) * 60))
    batches: list[list[tuple[int, int]]] = []

    @settings(max_examples=200, deadline=None)
    @given(st.lists(window, max_size=12))
    def gather(windows: list[tuple[int, int]]) -> None:
        batches.append(windows)

    gather()
    for windows, got in zip(batches, screen.evaluate(TOGETHER, batches), strict=True):
        minutes = {minute for start, end in windows for minute in range(start // 60, end // 60)}
        assert got["seconds"] == 60 * len(minutes), windows
        assert got["days"] == len({minute // 1440 for minute in minutes}), windows


def test_lengths_are_said_in_hours_and_minutes_and_never_rounded_down(screen: Page) -> None:
    assert screen.evaluate(HOURS, [30, 60, 61, 3540, 3541, 3600, 12_000, 43_200, 43_201]) == [
        *("1 min", "1 min", "2 min", "59 min", "1 hour", "1 hour", "3 h 20 min", "12 hours", "12 h 1 min"),
    ]


# -- on the screen -------------------------------------------------------------------------------------------


def ask_window(served: Served, start_s: int, length_s: int, **changes: Any) -> Pending:
    payload = request_payload(served.vault.agency) | {"from": start_s, "to": start_s + length_s} | changes
    return served.vault.receive(payload)


def noon(days_ago: int) -> int:
    """Noon in Los Angeles, where the fake doorbell stands, as UTC seconds: no window here crosses a midnight."""
    return (now_ms() // 1000 // DAY_S - days_ago) * DAY_S + 20 * HOUR_S


def ask_four(served: Served) -> list[Pending]:
    """Four requests of 50 minutes on two days: 3 h 20 min together; the first was shared."""
    found = [ask_window(served, noon(4) + n * HOUR_S, 3000, case=f"24-00000{n // 3}") for n in range(2)]
    found += [ask_window(served, noon(3) + n * HOUR_S, 3000, case=f"24-00000{n}") for n in range(2)]
    found[0].state = "DELIVERED"
    return found


def test_the_owner_sees_before_deciding_what_several_requests_ask_for_together(
    served: Served, owner: OwnerBrowser
) -> None:
    requests = ask_four(served)
    owner.open_request(requests[3].payload["id"])
    told = owner.page.locator(".notice", has_text="in 30 days")
    expect(told).to_contain_text(f"This is request 4 by {NAME} in 30 days")
    expect(told).to_contain_text("Together they ask for 3 h 20 min on 2 days. You shared video for 1 of them.")
    is_above = "told => Boolean(told.compareDocumentPosition(document.querySelector('#yes')) & 4)"
    assert told.evaluate(is_above)
    owner.open_request(requests[2].payload["id"])
    expect(told).to_contain_text(f"This is request 3 of 4 by {NAME} in 30 days")
    expect(told).to_contain_text("3 of them name this case, 24-000000.")


def test_together_more_than_one_request_may_ask_for_is_a_warning(served: Served, owner: OwnerBrowser) -> None:
    for n in range(3):
        request = ask_window(served, noon(6 - n) - 2 * HOUR_S, 5 * HOUR_S, case=f"24-00000{n}")
    owner.open_request(request.payload["id"])
    told = owner.page.locator(".notice.warn")
    expect(told).to_contain_text("Together they ask for 15 hours on 3 days. So far you shared none of it.")
    expect(told).to_contain_text("That is more than any one request may ask for (12 hours).")


def test_a_single_request_says_nothing_of_the_kind(served: Served, owner: OwnerBrowser) -> None:
    request = ask_window(served, noon(2), HOUR_S)
    owner.open_request(request.payload["id"])
    expect(owner.page.locator("main")).not_to_contain_text("in 30 days")
    owner.open("requests")
    expect(owner.page.locator("main")).not_to_contain_text("more than once")


def test_another_agency_that_names_the_case_is_mentioned(served: Served, owner: OwnerBrowser) -> None:
    other = Agency(id="us-ca-otherpd", name="Other Police Department")
    payload = request_payload(other)
    pending = served.vault.receive(payload, sign_request(payload, other, served.vault.platform))
    pending.agency = other.file()
    request = ask_window(served, noon(2), HOUR_S)
    owner.open_request(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("1 request by others names this case, 24-000002, too.")


def test_the_list_says_who_asked_more_than_once(served: Served, owner: OwnerBrowser) -> None:
    ask_four(served)
    owner.open("requests")
    told = owner.page.locator(".notice", has_text="Who asked more than once")
    expect(told).to_contain_text(f"{NAME}: 4 requests")
    expect(told).to_contain_text("Together they ask for 3 h 20 min on 2 days. You shared video for 1 of them.")
    expect(owner.page.locator(".request-link .series")).to_have_text(
        [
            "Request 4 of 4 by them",
            "Request 3 of 4 by them · 3 for this case",
            "Request 2 of 4 by them · 3 for this case",
            "Request 1 of 4 by them · 3 for this case",
        ]
    )


def test_the_sheet_of_a_yes_counts_the_earlier_ones(served: Served, owner: OwnerBrowser) -> None:
    ask_four(served)
    start_s = now_ms() // 1000 - HOUR_S
    request = ask_window(served, start_s, HOUR_S - 60)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.page.locator("#yes").click()
    expect(owner.page.get_by_role("dialog")).to_contain_text(
        "With this you will have said yes to 2 of their 5 requests in 30 days."
    )


def test_a_name_that_may_not_be_shown_is_not_shown_in_the_list(served: Served, owner: OwnerBrowser) -> None:
    served.vault.agency = Agency(name="Police\u202eecilop")
    ask_four(served)
    owner.open("requests")
    expect(owner.page.locator("main")).to_contain_text("An agency with an unreadable name: 4 requests")
    expect(owner.page.locator("main")).not_to_contain_text("ecilop")
