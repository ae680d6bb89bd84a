"""A request on the owner's phone, in real Chromium: only what its signatures carry is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agent.core import strict_json
from agent.core.encoding import b64
from agent.core.text import MAX_DIRECTORY_TEXT
from tests.fakes.page_world import Agency, Platform, sign_request
from tests.page.asking import ask, opened_wraps

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.page_vault_state import Pending
    from tests.page.owner_browser import OwnerBrowser
    from tests.page.serving import Served

pytestmark = pytest.mark.browser


def test_a_request_shows_what_its_signatures_carry(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    main = owner.page.locator("main")
    for words in (
        "Example Police Department",
        "Signed by the agency and by Example platform",
        "Burglary",
        "A silver sedan was seen leaving a break-in.",
        "24-000002",
        "J. Rivera, badge 4711",
        "+1 555 0100",
        "Los Angeles time",
        "UTC",
        "Your camera is inside it.",
        "about 300 m by 300 m",
    ):
        expect(main).to_contain_text(words)
    expect(owner.page.locator("#yes")).to_be_disabled()
    assert owner.page.locator("input.choose-clip:checked").count() == 0


def test_what_the_doorbell_takes_from_the_directory_the_page_takes_too(
    served: Served, owner: OwnerBrowser
) -> None:
    name, endpoint = "Police" + "x" * (MAX_DIRECTORY_TEXT - 6), "up.1/" + "e" * 59
    request = ask(served, ep=endpoint)
    request.agency |= {"name": name, "endpoints": [endpoint], "contact": {"phone": "5" * 200, "web": "w" * 200}}
    request.platform |= {"name": name, "endpoints": {endpoint: request.platform["endpoints"]["ep1"]}}
    owner.open_request(request.payload["id"])
    expect(owner.page.locator(".asker h2")).to_have_text(name)
    assert owner.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    owner.choose_all()
    owner.yes()
    assert served.vault.consents[0]["ep"] == endpoint


def tampered(request: Pending, agency: Agency, platform: Platform) -> dict[str, Callable[[], None]]:
    """What a lying page could put into the answer, each by its name."""
    outer = strict_json.parse(request.raw, max_bytes=100_000)
    assert isinstance(outer, dict)
    stranger = Agency(id=agency.id, name=agency.name)

    def other_text() -> None:
        payload = request.payload | {"text": "Hand over everything"}
        request.raw = strict_json.dump(outer | {"payload": b64(strict_json.dump(payload))})

    def strangers_signature() -> None:
        request.raw = sign_request(request.payload, stranger, platform)

    def other_reply_key() -> None:
        payload = request.payload | {"enc_pub": b64(stranger.enc_pub)}
        request.raw = sign_request(payload, agency, platform)

    def misnamed_key() -> None:
        request.agency["sign"][0]["pub"] = stranger.file()["sign"][0]["pub"]

    def another_agencys_file() -> None:
        request.agency = stranger.file() | {"id": "us-ca-otherpd"}

    def suspended() -> None:
        request.agency["status"] = "suspended"

    def hidden_words_in_the_name() -> None:
        request.agency["name"] = "Police\u202eecilop"

    return {
        f.__name__: f
        for f in (
            other_text,
            strangers_signature,
            other_reply_key,
            misnamed_key,
            another_agencys_file,
            suspended,
            hidden_words_in_the_name,
        )
    }


@pytest.mark.parametrize(
    "name",
    [
        "other_text",
        "strangers_signature",
        "other_reply_key",
        "misnamed_key",
        "another_agencys_file",
        "suspended",
        "hidden_words_in_the_name",
    ],
)
def test_a_tampered_request_is_not_shown(served: Served, owner: OwnerBrowser, name: str) -> None:
    request = ask(served)
    tampered(request, served.vault.agency, served.vault.platform)[name]()
    owner.open_request(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("This request can't be trusted")
    expect(owner.page.locator("#yes, #no, .asker")).to_have_count(0)


@pytest.mark.parametrize(
    ("state", "words"), [("HANDED_OVER", "waits for the signed receipt"), ("EXPIRED", "Ran out")]
)
def test_a_request_that_is_over_says_how_it_ended_when_its_keys_are_gone(
    served: Served, owner: OwnerBrowser, state: str, words: str
) -> None:
    request = ask(served)
    request.state, request.platform["dispatch"] = state, []
    owner.open(f"request/{request.payload['id']}")
    main = owner.page.locator("main")
    expect(main).to_contain_text(words)
    expect(main).to_contain_text("What was asked is no longer shown")
    expect(main).not_to_contain_text("A silver sedan")


def test_another_request_under_this_id_is_not_shown(
    served: Served, owner: OwnerBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ask(served), ask(served, text="Another one")
    monkeypatch.setitem(served.vault.requests_by_id, first.payload["id"], second)
    owner.open_request(first.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("This request can't be trusted")


def test_changed_agency_keys_are_a_warning_that_must_be_answered_before_a_yes(
    served: Served, owner: OwnerBrowser
) -> None:
    owner.open_request(ask(served).payload["id"])
    expect(owner.page.locator("main")).to_contain_text("It is the first of theirs that you open on this phone.")
    served.vault.agency = Agency()
    request = ask(served)
    owner.open_request(request.payload["id"])
    warning = owner.page.locator(".notice.warn")
    expect(warning).to_contain_text("This agency's keys have changed")
    owner.choose_all()
    owner.page.locator("#yes").click()
    expect(owner.page.get_by_role("dialog")).to_have_count(0)
    assert request.state == "PENDING"
    warning.get_by_label("I have made sure.").check()
    owner.yes()
    assert request.state == "GRACE"
    assert opened_wraps(served, served.vault.consents[0]) == [stored.cek for stored in served.vault.shelf]


def test_markup_in_foreign_words_stays_words(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served, text="<img src=x onerror=alert(1)><b>bold</b>")
    owner.open_request(request.payload["id"])
    expect(owner.page.locator(".quote")).to_have_text("<img src=x onerror=alert(1)><b>bold</b>")
    assert owner.page.locator("main img, main b").count() == 0
