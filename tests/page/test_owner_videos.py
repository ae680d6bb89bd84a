"""The owner's videos in real Chromium: opened there, played there, kept and deleted by signed actions."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.fakes.page_world import now_ms
from tests.page.asking import ask
from tests.page.owner_browser import OwnerBrowser

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.serving import Served

pytestmark = pytest.mark.browser


def test_a_clip_plays_in_the_browser_from_sealed_parts(served: Served, owner: OwnerBrowser) -> None:
    owner.open("clips")
    video = owner.watch(1)
    seen = video.evaluate("v => ({ end: v.buffered.end(0), ranges: v.buffered.length, w: v.videoWidth })")
    assert seen["ranges"] == 1
    assert seen["end"] == pytest.approx(6.0, abs=0.01)
    assert seen["w"] == 640
    owner.page.wait_for_function("v => v.currentTime > 0.3", arg=video.element_handle())


def test_a_line_that_is_taken_up_again_leaves_what_is_played(served: Served, owner: OwnerBrowser) -> None:
    owner.open("clips")
    video = owner.watch(0)
    owner.cut_line(served.hub)
    expect(video).to_be_attached()


def test_without_media_source_the_joined_film_plays(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    page.add_init_script("delete window.MediaSource; delete window.ManagedMediaSource;")
    phone = OwnerBrowser(page)
    phone.pair(served.pair_link())
    served.vault.record(now_ms() - 600_000)
    phone.open("clips")
    video = phone.watch(0)
    assert video.evaluate("v => v.duration") == pytest.approx(6.0, abs=0.01)


def test_a_changed_part_is_not_played(served: Served, owner: OwnerBrowser) -> None:
    stored = served.vault.shelf[-1]
    stored.file = stored.file[:-1] + bytes([stored.file[-1] ^ 1])
    owner.open("clips")
    card = owner.page.locator("article.clip").first
    card.get_by_role("button", name="Watch").click()
    expect(card).to_contain_text("damaged or was changed")


def test_a_part_whose_end_does_not_come_is_said_to_be_out_of_reach(served: Served, owner: OwnerBrowser) -> None:
    owner.open("clips")
    owner.page.evaluate(
        """() => {
          const honest = fetch;
          window.fetch = async (path, options) => {
            const answer = await honest(path, options);
            if (!String(path).startsWith("/api/segments/")) return answer;
            const cut = new ReadableStream({ start: (pipe) => pipe.error(new TypeError("cut")) });
            return new Response(cut, { status: answer.status });
          };
        }"""
    )
    card = owner.page.locator("article.clip").first
    card.get_by_role("button", name="Watch").click()
    expect(card).to_contain_text("The doorbell can't be reached.")


def test_what_was_recorded_before_the_clock_was_set_is_shown_at_its_mapped_time_and_signed_as_recorded(
    served: Served, owner: OwnerBrowser
) -> None:
    recorded_ms, mapped_ms = 1_000_000_000_000, now_ms() - 1_200_000
    stored = served.vault.record(recorded_ms, mapped_to_ms=mapped_ms)
    zone = ZoneInfo("America/Los_Angeles")
    first, last = (
        datetime.fromtimestamp(ms / 1000, zone).strftime("%H:%M:%S") for ms in (mapped_ms, mapped_ms + 6_000)
    )
    owner.open("clips")
    card = owner.page.locator("article.clip").nth(1)
    expect(card.locator("h3")).to_have_text(f"{first} to {last}")
    expect(card).to_contain_text("The doorbell was not sure of the time then.")
    expect(owner.page.locator("main")).not_to_contain_text("September")
    request = ask(served)
    owner.open_request(request.payload["id"])
    expect(owner.clip_cards().nth(1).locator("h3")).to_have_text(f"{first} to {last}")
    owner.choose_clip(1)
    owner.page.locator("#yes").click()
    dialog = owner.page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"{first} to {last}")
    dialog.get_by_role("button", name="Go back").click()
    owner.yes()
    expect(owner.page.locator("main")).to_contain_text(f"{first} to {last}")
    signed = [(segment["id"], segment["start_ms"]) for segment in served.vault.consents[0]["segments"]]
    assert signed == [(one.meta.id, recorded_ms + 2_000 * n) for n, one in enumerate(stored)]


def test_keep_and_delete_are_signed_actions(served: Served, owner: OwnerBrowser) -> None:
    owner.open("clips")
    clip = served.vault.shelf[-1].meta.clip
    card = owner.page.locator("article.clip").first
    card.get_by_role("button", name="Keep").click()
    asked = owner.page.get_by_role("dialog")
    expect(asked).to_contain_text("It then stays until you delete it")
    asked.get_by_role("button", name="Go back").click()
    assert served.vault.actions == []
    card.get_by_role("button", name="Keep").click()
    asked.get_by_role("button", name="Keep it").click()
    expect(owner.page.locator("#said")).to_contain_text("Kept until you delete it")
    card.get_by_role("button", name="Delete").click()
    owner.page.get_by_role("button", name="Delete it").click()
    expect(owner.page.locator("article.clip")).to_have_count(1)
    assert [(action["verb"], action["args"]) for action in served.vault.actions] == [
        ("keep", {"clip": clip}),
        ("delete", {"clip": clip}),
    ]
