"""The words of the page, by themselves, as a browser runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

EXPLAINED = """async () => {
  const { explain } = await import("/static/words.js");
  const { Refused } = await import("/static/refused.js");
  const errors = [
    new DOMException("the film is too long", "QuotaExceededError"),
    new Refused("E_HOST", "/api/status"),
    new Refused("NO_SESSION", "/api/status"),
    new Refused("constructor"),
    new Error("no such thing"),
    "a text",
  ];
  return errors.map(explain);
}"""


def test_an_error_without_words_of_its_own_is_named_and_never_a_number(screen: Page) -> None:
    assert screen.evaluate(EXPLAINED) == [
        "That did not work (the film is too long).",
        "That did not work (E_HOST).",
        "This browser keeps no cookies for this page. Allow them, then try again.",
        "That did not work (constructor).",
        "That did not work (no such thing).",
        "That did not work (a text).",
    ]


DAYS = """async ({ now, times }) => {
  const { day, useTimeZone } = await import("/static/words.js");
  useTimeZone("Europe/London");
  Date.now = () => Date.parse(now);
  return times.map((time) => day(Date.parse(time)));
}"""


def test_yesterday_is_the_day_before_also_when_the_clocks_changed_in_between(screen: Page) -> None:
    after_a_short_day = {
        "now": "2026-03-30T00:30:00+01:00",
        "times": ["2026-03-30T00:10:00+01:00", "2026-03-29T12:00:00+01:00", "2026-03-28T12:00:00Z"],
    }
    assert screen.evaluate(DAYS, after_a_short_day) == ["Today", "Yesterday", "Sat 28 March"]
    after_a_long_day = {
        "now": "2026-10-26T00:30:00Z",
        "times": ["2026-10-26T00:10:00Z", "2026-10-25T00:10:00+01:00", "2026-10-24T23:50:00+01:00"],
    }
    assert screen.evaluate(DAYS, after_a_long_day) == ["Today", "Yesterday", "Sat 24 October"]
