"""The owner's phones in real Chromium: pairing, a second one, one that is no longer known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from agent.core.encoding import b64
from tests.page.asking import ask
from tests.page.owner_browser import OwnerBrowser
from tests.page.phone import PhoneClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.serving import Served

pytestmark = pytest.mark.browser


def test_pairing_keeps_keys_that_cannot_be_read_out_and_no_secret_in_the_address(
    served: Served, owner: OwnerBrowser
) -> None:
    assert [phone.name for phone in served.vault.phones_by_kid.values()] == ["Kitchen phone"]
    kept = owner.page.evaluate(
        """async () => {
          const { identity } = await import("/static/keys.js");
          const me = await identity();
          const tries = await Promise.allSettled(
            [me.signKey, me.openKey].map((key) => crypto.subtle.exportKey("jwk", key)));
          return { phone: me.phone, failed: tries.every((one) => one.status === "rejected") };
        }"""
    )
    assert kept["failed"]
    assert kept["phone"] in served.vault.phones_by_kid
    assert "#" not in owner.page.url


def test_a_doorbell_that_cannot_prove_the_link_is_not_trusted(
    served: Served, new_phone: Callable[[], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = served.vault.pair

    def lying(body: dict[str, Any]) -> Any:
        answer = honest(body)
        assert isinstance(answer, dict)
        return answer | {"mac": body["mac"]}

    monkeypatch.setattr(served.vault, "pair", lying)
    page = new_phone()
    page.goto(served.pair_link())
    page.get_by_role("button", name="Pair this phone").click()
    expect(page.get_by_role("alert")).to_contain_text("Something else answered in the doorbell's place")
    page.goto(served.origin)
    expect(page.locator("main")).to_contain_text("Not paired yet")


def test_a_newer_link_in_the_same_tab_is_taken(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    page.goto(served.pair_link())
    page.get_by_role("button", name="Pair this phone").wait_for()
    OwnerBrowser(page).pair(served.pair_link())
    assert len(served.vault.phones_by_kid) == 1


def test_a_paired_phone_that_loads_the_links_address_again_is_at_home(served: Served, owner: OwnerBrowser) -> None:
    owner.page.goto(served.origin + "/pair")
    expect(owner.page.locator("main")).to_contain_text("Your doorbell is recording")
    owner.open("more")
    owner.page.reload()
    expect(owner.page.locator("main[data-view=more]")).to_be_visible()


@pytest.mark.parametrize(
    ("typed", "words"), [("  ", "Give this phone a name"), ("a\u202eb", "may not hold invisible or unusual signs")]
)
def test_a_name_that_can_not_be_taken_is_said_and_costs_no_try(
    served: Served, new_phone: Callable[[], Page], typed: str, words: str
) -> None:
    page = new_phone()
    page.goto(served.pair_link())
    page.get_by_label("Name of this phone").fill(typed)
    page.get_by_role("button", name="Pair this phone").click()
    expect(page.get_by_role("alert")).to_contain_text(words)
    assert "pair" not in served.vault.calls
    page.get_by_label("Name of this phone").fill("Ku\u0308che")
    page.get_by_role("button", name="Pair this phone").click()
    page.locator("main[data-view=home]").wait_for()
    assert [phone.name for phone in served.vault.phones_by_kid.values()] == ["K\u00fcche"]


def test_outside_the_window_pairing_says_what_to_do(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    link = served.pair_link()
    served.vault.reset()
    page.goto(link)
    page.get_by_role("button", name="Pair this phone").click()
    expect(page.get_by_role("alert")).to_contain_text("Pairing is not open right now")
    expect(page.get_by_role("alert")).to_contain_text("the link on the owner's card")


def test_a_second_phone_waits_with_the_number_that_the_first_one_shows(
    served: Served, owner: OwnerBrowser, new_phone: Callable[[], Page]
) -> None:
    second = OwnerBrowser(new_phone())
    second.pair(served.pair_link(), "Tablet")
    digits = second.page.locator(".digits").get_attribute("aria-label")
    owner.open("phones")
    owner.page.get_by_role("button", name="Let in").click()
    expect(owner.page.get_by_role("dialog").locator(".digits")).to_have_attribute("aria-label", digits or "")
    owner.page.get_by_role("button", name="Yes, it is the same").click()
    expect(owner.page.get_by_role("dialog")).to_have_count(0)
    assert [phone.state for phone in served.vault.phones_by_kid.values()] == ["admitted", "admitted"]
    expect(second.page.locator(".digits")).to_have_count(0)


def test_a_waiting_phone_sees_no_video_but_may_say_no(
    served: Served, owner: OwnerBrowser, new_phone: Callable[[], Page]
) -> None:
    request = ask(served)
    second = OwnerBrowser(new_phone())
    second.pair(served.pair_link(), "Tablet")
    second.open_request(request.payload["id"])
    expect(second.page.locator("main")).to_contain_text("it sees no video and can't share")
    expect(second.page.locator("#yes")).to_have_count(0)
    second.no()
    assert request.state == "DECLINED"
    owner.open_request(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("Somebody at home said no")


def test_older_videos_are_handed_on_and_open_on_the_other_phone(
    served: Served, owner: OwnerBrowser, new_phone: Callable[[], Page]
) -> None:
    second = OwnerBrowser(new_phone())
    second.pair(served.pair_link(), "Tablet")
    owner.open("phones")
    owner.page.get_by_role("button", name="Let in").click()
    owner.page.get_by_role("button", name="Yes, it is the same").click()
    expect(owner.page.get_by_role("dialog")).to_have_count(0)
    second.open("clips")
    expect(second.page.locator("article.clip").first).to_contain_text("This phone can't open one of these videos")
    owner.page.get_by_role("button", name="Give older videos").click()
    owner.page.get_by_role("dialog").get_by_role("button", name="Give them").click()
    expect(owner.page.locator("#said")).to_contain_text("5 parts handed on")
    second.open("")
    second.open("clips")
    second.watch(0)


def test_a_part_that_does_not_open_does_not_keep_the_others_from_being_handed_on(
    served: Served, owner: OwnerBrowser
) -> None:
    other = PhoneClient(served)
    other.pair()
    (mine,) = {kid for segment in served.vault.shelf for kid in segment.stanzas}
    served.vault.shelf[1].stanzas[mine] = b64(bytes(64))
    served.vault.phones_by_kid[other.kid].state = "admitted"
    owner.open("phones")
    owner.page.get_by_role("button", name="Give older videos").click()
    owner.page.get_by_role("dialog").get_by_role("button", name="Yes, it is the same").click()
    expect(owner.page.locator("#said")).to_contain_text("4 parts handed on. 1 part can't be opened on this phone")
    holds = [other.open_kid in segment.stanzas for segment in served.vault.shelf]
    assert holds == [True, False, True, True, True]


def test_an_unpaired_phone_is_told_so(served: Served, owner: OwnerBrowser) -> None:
    served.vault.phones_by_kid.clear()
    served.vault.sessions.clear()
    owner.page.reload()
    expect(owner.page.locator("main")).to_contain_text("The doorbell does not know this phone any more")


def test_a_phone_that_is_unpaired_while_it_looks_is_told_so(served: Served, owner: OwnerBrowser) -> None:
    owner.wait_for_line(served.hub)
    served.vault.phones_by_kid.clear()
    served.vault.sessions.clear()
    owner.cut_line(served.hub)
    expect(owner.page.locator("main")).to_contain_text("The doorbell does not know this phone any more")
    asked = len(served.vault.calls)
    owner.page.wait_for_timeout(7_000)
    assert len(served.vault.calls) == asked, "it goes on asking"
    expect(owner.page.locator("body")).not_to_contain_class("offline")


def test_a_browser_without_the_needed_keys_is_told_so(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    page.add_init_script("crypto.subtle.generateKey = () => Promise.reject(new Error('NotSupported'));")
    page.goto(served.pair_link())
    expect(page.locator("main")).to_contain_text("This browser is too old")
