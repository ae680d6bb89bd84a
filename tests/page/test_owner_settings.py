"""The owner's settings in real Chromium: signed, and read back from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.owner_browser import OwnerBrowser

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.serving import Served

pytestmark = pytest.mark.browser


def test_settings_are_signed_and_read_back_from_the_log(served: Served, owner: OwnerBrowser) -> None:
    owner.open("settings")
    owner.page.get_by_label("Agencies may ask me").uncheck()
    owner.page.get_by_label("Example Police Department").uncheck()
    owner.page.get_by_label("How far back").select_option("7")
    owner.page.get_by_label("From").fill("22:00")
    owner.page.get_by_label("to", exact=True).fill("06:30")
    owner.page.get_by_role("button", name="Save").click()
    settings = served.vault.settings
    for _ in range(100):
        if len(served.vault.actions) == 4:
            break
        owner.page.wait_for_timeout(50)
    assert settings["requests_enabled"] is False
    assert settings["muted_agencies"] == [served.vault.agency.id]
    assert (settings["max_lookback_days"], settings["quiet_hours"]) == (7, [1320, 390])
    owner.open("more")
    owner.open("settings")
    expect(owner.page.get_by_label("Agencies may ask me")).not_to_be_checked()
    expect(owner.page.get_by_label("Example Police Department")).not_to_be_checked()
    expect(owner.page.get_by_label("How far back")).to_have_value("7")
    expect(owner.page.get_by_label("From")).to_have_value("22:00")


def test_quiet_hours_are_both_times_or_none(served: Served, owner: OwnerBrowser) -> None:
    served.vault.settings["quiet_hours"] = kept = [1320, 390]
    served.vault.note("settings", quiet_hours=kept)
    owner.open("settings")
    save = owner.page.get_by_role("button", name="Save")
    start, end = owner.page.get_by_label("From"), owner.page.get_by_label("to", exact=True)
    for times, words in (
        (("22:00", ""), "fill in both times"),
        (("", "06:30"), "fill in both times"),
        (("22:00", "22:00"), "the two times are the same"),
    ):
        start.fill(times[0])
        end.fill(times[1])
        save.click()
        expect(owner.page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        assert served.vault.actions == []
        assert served.vault.settings["quiet_hours"] == kept
    start.fill("")
    end.fill("06:30")
    start.press("1")  # a time that is half typed is no empty one
    end.fill("")
    save.click()
    expect(owner.page.get_by_role("alert").filter(has_text="fill in both times")).to_be_visible()
    start.fill("")
    save.click()
    expect(owner.page.locator("#said")).to_contain_text("Saved")
    assert served.vault.settings["quiet_hours"] is None


def test_a_line_that_is_taken_up_again_leaves_what_is_half_typed(served: Served, owner: OwnerBrowser) -> None:
    owner.open("settings")
    owner.page.get_by_label("From").fill("22:00")
    owner.cut_line(served.hub)
    expect(owner.page.get_by_label("From")).to_have_value("22:00")


def test_a_clock_that_jumped_is_confirmed_from_the_phone(served: Served, owner: OwnerBrowser) -> None:
    served.vault.clock = "suspect"
    owner.open("settings")
    owner.page.get_by_role("button", name="Yes, that is the time").click()
    expect(owner.page.get_by_text("Is this the right time?")).to_have_count(0)
    assert served.vault.clock == "trusted"


def test_a_phone_with_another_time_than_the_doorbells_does_not_say_that_it_was_saved(
    served: Served, new_phone: Callable[[], Page]
) -> None:
    page = new_phone()
    page.add_init_script("const now = Date.now; Date.now = () => now() + 3_600_000;")
    owner = OwnerBrowser(page)
    owner.pair(served.pair_link())
    served.vault.clock = "suspect"
    owner.open("settings")
    page.get_by_role("button", name="Yes, that is the time").click()
    expect(page.get_by_role("alert").filter(has_text="has another time than this phone")).to_be_visible()
    expect(page.locator("#said")).not_to_contain_text("Saved")
    assert served.vault.clock == "suspect"


def test_turning_requests_on_asks_first(served: Served, owner: OwnerBrowser) -> None:
    served.vault.settings["requests_enabled"] = False
    owner.open("settings")
    owner.page.get_by_label("Agencies may ask me").click()
    owner.page.get_by_role("button", name="Go back").click()
    expect(owner.page.get_by_label("Agencies may ask me")).not_to_be_checked()
    assert served.vault.actions == []
    owner.page.get_by_label("Agencies may ask me").click()
    owner.page.get_by_role("button", name="Yes, let them ask").click()
    expect(owner.page.locator("#said")).to_contain_text("Saved")
    assert served.vault.settings["requests_enabled"] is True
