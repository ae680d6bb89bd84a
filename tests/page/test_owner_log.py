"""The doorbell's log on the owner's phone, in real Chromium: what went back or was exchanged is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agent.core import ids

if TYPE_CHECKING:
    from tests.page.owner_browser import OwnerBrowser
    from tests.page.serving import Served

pytestmark = pytest.mark.browser


def test_older_log_entries_that_do_not_come_are_said_and_can_be_asked_for_again(
    served: Served, owner: OwnerBrowser
) -> None:
    for _ in range(150):
        served.vault.note("boot")
    owner.open("log")
    entries = owner.page.locator(".log li")
    expect(entries).to_have_count(100)
    owner.page.route("**/api/log*", lambda route: route.abort())
    older = owner.page.get_by_role("button", name="Show older entries")
    older.click()
    expect(owner.page.locator("#said")).to_contain_text("can't be reached")
    owner.page.unroute("**/api/log*")
    older.click()
    expect(entries).to_have_count(len(served.vault.log_entries))
    expect(older).to_be_hidden()


def test_a_log_that_went_back_is_noticed(served: Served, owner: OwnerBrowser) -> None:
    for n in range(3):
        served.vault.note("segment", id=ids.new_id(), i=n)
    owner.open("log")
    expect(owner.page.locator(".notice.good")).to_contain_text("The log fits")
    served.vault.log_entries = served.vault.log_entries[:-2]
    owner.open("more")
    owner.open("log")
    expect(owner.page.locator(".notice.bad")).to_contain_text("Entries are missing")
    owner.open("")
    expect(owner.page.locator(".notice.bad")).to_contain_text("The doorbell's log does not fit")


def test_a_log_with_other_entries_is_noticed(served: Served, owner: OwnerBrowser) -> None:
    owner.open("log")
    served.vault.log_entries[0] = served.vault.log_entries[0].replace(b"boot", b"loot")
    owner.open("more")
    owner.open("log")
    expect(owner.page.locator(".notice.bad")).to_contain_text("Entries were exchanged")
