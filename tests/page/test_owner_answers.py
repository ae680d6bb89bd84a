"""The owner's yes and no in real Chromium: what is signed, what leaves, and how it can be stopped."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agent.core import ids, seal
from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from tests.page.asking import ask, opened_wraps

if TYPE_CHECKING:
    from agent.page.port import Body
    from tests.page.owner_browser import OwnerBrowser
    from tests.page.serving import Served

pytestmark = pytest.mark.browser


def test_a_yes_gives_the_agency_exactly_the_chosen_keys(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_clip(1)
    owner.yes()
    expect(owner.page.locator("main")).to_contain_text("Sending starts in")
    consent = served.vault.consents[0]
    assert consent["decision"] == "share"
    assert consent["contact"] is None
    shelf = {stored.meta.id: stored for stored in served.vault.shelf}
    named = [shelf[segment["id"]] for segment in consent["segments"]]
    assert [stored.meta.n for stored in named] == [0, 1]
    assert opened_wraps(served, consent) == [stored.cek for stored in named]
    assert request.state == "GRACE"


def test_a_yes_that_waits_for_a_fresh_list_of_agencies_is_not_called_lost(
    served: Served, owner: OwnerBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_clip(0)
    decision = served.vault.decision

    def slowly(session: str, asked: str, envelope: bytes) -> Body:
        time.sleep(3)  # a minute, where the page's time passes twenty times faster
        return decision(session, asked, envelope)

    monkeypatch.setattr(served.vault, "decision", slowly)
    owner.page.evaluate(
        "() => { const real = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = ms => real(ms / 20); }"
    )
    owner.yes()
    expect(owner.page.locator("main")).to_contain_text("Sending starts in")


def test_single_parts_can_be_chosen(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    card = owner.clip_cards().nth(0)
    card.get_by_text("Choose parts of it").click()
    card.locator(".chip input").nth(1).check()
    expect(card.locator("input.choose-clip")).to_have_js_property("indeterminate", value=True)
    owner.yes()
    assert [segment["id"] for segment in served.vault.consents[0]["segments"]] == [served.vault.shelf[1].meta.id]


def test_contact_details_go_sealed_and_only_when_filled_in(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_clip(0)
    owner.page.get_by_text("Let them contact you").click()
    owner.page.get_by_label("Your name").fill("Alex Rivera")
    owner.page.get_by_label("Phone", exact=True).fill("+1 555 0199")
    owner.yes()
    consent = served.vault.consents[0]
    info = seal.contact_info(ids.Sha256(consent["request"]["sha256"]))
    plain = seal.hpke_open(served.vault.agency.enc, unb64(consent["contact"]), info)
    assert json.loads(plain) == {"name": "Alex Rivera", "phone": "+1 555 0199"}


def test_the_statement_says_what_leaves_and_going_back_sends_nothing(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.page.locator("#yes").click()
    dialog = owner.page.get_by_role("dialog")
    for words in ("2 videos, 10 seconds in all", "Example Police Department and no one else", "these 5 parts"):
        expect(dialog).to_contain_text(words)
    dialog.get_by_role("button", name="Go back").click()
    expect(dialog).to_have_count(0)
    assert served.vault.consents == []
    assert request.state == "PENDING"


def test_a_no_is_signed_and_can_be_changed_by_the_same_phone(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.no()
    expect(owner.page.locator("main")).to_contain_text("You said no")
    decline = served.vault.consents[0]
    assert (decline["decision"], decline["segments"], decline["prev"]) == ("decline", [], None)
    owner.choose_all()
    owner.yes()
    assert served.vault.consents[1]["prev"] == decline["id"]
    assert request.state == "GRACE"


def test_a_no_at_the_doorbell_itself_is_not_said_to_be_another_phones(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    request.state = "DECLINED"
    owner.open_request(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("On another phone, or at the doorbell itself.")


def test_stop_during_grace_takes_the_yes_back(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.yes()
    expect(owner.page.locator(".seconds")).to_have_text(re.compile(r"^(60|5\d)$"))
    owner.stop()
    assert request.state == "PENDING"
    expect(owner.page.locator("#no")).to_be_visible()


def test_with_a_button_the_page_asks_to_press_it(served: Served, owner: OwnerBrowser) -> None:
    served.vault.needs_button = True
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.yes()
    expect(owner.page.locator("main")).to_contain_text("Press the button inside your home")
    served.vault.press(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("Sending starts in")


def test_progress_and_receipt_arrive_by_themselves(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    owner.yes()
    served.vault.end_grace(request.payload["id"])
    expect(owner.page.locator("progress")).to_be_visible()
    served.vault.tell_progress(request.payload["id"], 3, 4)
    expect(owner.page.locator("main")).to_contain_text("75 %")
    served.vault.finish_upload(request.payload["id"])
    expect(owner.page.locator(".notice.good")).to_contain_text("Delivered")
    expect(owner.page.locator("main")).to_contain_text("2 videos, 10 seconds")


def test_a_nonce_that_ran_out_is_replaced_without_bothering_the_owner(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    served.vault.forget_nonces()
    owner.choose_all()
    owner.yes()
    assert request.state == "GRACE"


def test_a_refusal_is_said_in_plain_words(
    served: Served, owner: OwnerBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RefusedError("C_RATE")

    request = ask(served)
    owner.open_request(request.payload["id"])
    owner.choose_all()
    monkeypatch.setattr(served.vault, "decision", refuse)
    owner.page.locator("#yes").click()
    owner.page.get_by_role("button", name="Yes, share this").click()
    expect(owner.page.get_by_role("dialog")).to_contain_text("as often as your limit for one day allows")
    assert request.state == "PENDING"
