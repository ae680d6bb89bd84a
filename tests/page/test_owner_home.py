"""The first screen in real Chromium, and that the page speaks with its doorbell alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agent.page.port import Event
from tests.fakes.page_world import now_ms
from tests.page.asking import ask
from tests.page.owner_browser import OwnerBrowser

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.serving import Served

pytestmark = pytest.mark.browser


def test_home_says_plainly_what_is_wrong(served: Served, owner: OwnerBrowser) -> None:
    expect(owner.page.locator("main")).to_contain_text("Your doorbell is recording")
    served.vault.is_recording, served.vault.faults = False, ["camera-missing"]
    served.vault.tell(Event("status", {}))
    expect(owner.page.locator("main")).to_contain_text("Your doorbell is not recording")
    expect(owner.page.locator("main")).to_contain_text("The camera does not answer")


def test_a_new_request_appears_by_itself(served: Served, owner: OwnerBrowser) -> None:
    expect(owner.page.locator("main")).to_contain_text("Nothing waits for you.")
    ask(served)
    expect(owner.page.locator("main")).to_contain_text("Waiting for you")


def test_a_line_that_stays_down_is_said_and_one_that_is_taken_up_again_is_not(
    served: Served, owner: OwnerBrowser
) -> None:
    body = owner.page.locator("body")
    owner.cut_line(served.hub)
    expect(body).not_to_contain_class("offline")
    owner.page.route("**/api/events", lambda route: route.abort())
    served.hub.end_all()
    expect(body).to_contain_class("offline", timeout=15_000)
    ask(served)
    owner.page.unroute("**/api/events")
    expect(body).not_to_contain_class("offline", timeout=15_000)
    expect(owner.page.locator("main")).to_contain_text("Waiting for you")


def test_nothing_is_asked_from_anywhere_else(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(re.sub(r"^(\w+://[^/]+).*", r"\1", request.url)))
    phone = OwnerBrowser(page)
    phone.pair(served.pair_link())
    served.vault.record(now_ms() - 600_000)
    request = ask(served)
    for path in ("requests", "clips", "phones", "settings", "log", "alerts", f"request/{request.payload['id']}"):
        phone.open(path)
    assert {origin for origin in asked if not origin.startswith("blob:")} == {served.origin}
