"""An owner with a phone: drives the page in real Chromium as a person would, by what is written on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from agent.page.events import EventHub

WAIT_MS = 15_000


class OwnerBrowser:
    """One phone of the owner; each needs a browser context of its own, with `ignore_https_errors`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.origin = ""
        page.set_default_timeout(WAIT_MS)

    def pair(self, link: str, name: str = "Kitchen phone") -> None:
        """Open a pairing link, name the phone, pair, and wait for the first screen."""
        self.origin = link.partition("/pair#")[0]
        self.page.goto(link)
        self.page.get_by_label("Name of this phone").fill(name)
        self.page.get_by_role("button", name="Pair this phone").click()
        self.page.locator("main[data-view=home]").wait_for()

    def open(self, path: str) -> None:
        """Go to a screen: "", "requests", "clips", "phones", "settings", "log", …"""
        self.page.evaluate("path => { location.hash = `#/${path}`; }", path)
        view = path.split("/", maxsplit=1)[0] or "home"
        self.page.locator(f"main[data-view={view}]").wait_for()

    def open_request(self, request: str) -> None:
        """Open one request and wait until it was verified and drawn."""
        self.open(f"request/{request}")
        self.page.locator(".asker, .notice.bad").first.wait_for()

    def clip_cards(self) -> Locator:
        """The clips that can be chosen."""
        return self.page.locator("article[data-clip]")

    def choose_all(self) -> None:
        self.page.get_by_role("button", name="Choose all").click()

    def choose_clip(self, n: int) -> None:
        self.clip_cards().nth(n).locator("input.choose-clip").check()

    def watch(self, n: int = 0) -> Locator:
        """Watch the nth clip on the screen; returns its video once it plays."""
        card = self.page.locator("article.clip").nth(n)
        card.get_by_role("button", name="Watch").click()
        video = card.locator("video[data-ready=true]")
        video.wait_for()
        self.page.wait_for_function("video => video.readyState >= 2", arg=video.element_handle())
        return video

    def yes(self) -> None:
        """Say yes and confirm; waits until the doorbell took it and the page shows so."""
        self.page.locator("#yes").click()
        self._confirm("Yes, share this")
        expect(self.page.locator("#yes")).to_have_count(0)

    def no(self) -> None:
        """Say no and confirm; waits until the doorbell took it and the page shows so."""
        self.page.locator("#no").click()
        self._confirm("No, do not share")
        expect(self.page.locator("#no:visible")).to_have_count(0)

    def stop(self) -> None:
        """Stop what was agreed, while it can be."""
        self.page.get_by_role("button", name="Stop, do not send").click()
        expect(self.page.get_by_role("button", name="Stop, do not send")).to_have_count(0)

    def wait_for_line(self, hub: EventHub) -> None:
        """Wait until the page listens to the doorbell's events."""
        for _ in range(300):
            if hub._streams:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("the page does not listen")

    def cut_line(self, hub: EventHub) -> None:
        """End the event stream, as the doorbell does now and then; waits until the page has taken it up again."""
        self.wait_for_line(hub)
        with self.page.expect_response("**/api/events"):
            hub.end_all()
        self.page.wait_for_timeout(500)  # what is drawn anew then, is drawn

    def _confirm(self, words: str) -> None:
        self.page.get_by_role("dialog").get_by_role("button", name=words).click()
        expect(self.page.get_by_role("dialog")).to_have_count(0)
