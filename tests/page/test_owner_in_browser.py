"""The owner's part, whole, in real Chromium on a phone-sized screen, against the real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from agent.core import ids, seal
from agent.core.encoding import unb64
from tests.fakes.page_world import now_ms, request_payload
from tests.page.owner_browser import OwnerBrowser

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.fakes.page_vault_state import Pending
    from tests.page.serving import Served

pytestmark = pytest.mark.browser


@pytest.fixture
def owner(served: Served, new_phone: Callable[[], Page]) -> OwnerBrowser:
    """A paired owner with two clips of the last half hour."""
    phone = OwnerBrowser(new_phone())
    phone.pair(served.pair_link())
    served.vault.record(now_ms() - 1_800_000)
    served.vault.record(now_ms() - 900_001, segments=2)
    return phone


def ask(served: Served, **changes: Any) -> Pending:
    return served.vault.receive(request_payload(served.vault.agency, **changes))


def opened_wraps(served: Served, consent: dict[str, Any]) -> list[bytes]:
    """What the agency gets: each wrap opened with its key, bound to request and segment."""
    return [
        seal.open_cek(
            served.vault.agency.enc,
            unb64(segment["wrap"]),
            seal.grant_info(ids.Sha256(consent["request"]["sha256"]), ids.Sha256(segment["sha256"])),
        )
        for segment in consent["segments"]
    ]


def test_a_yes_gives_the_agency_exactly_the_chosen_keys(served: Served, owner: OwnerBrowser) -> None:
    request = ask(served)
    owner.open_request(request.payload["id"])
    expect(owner.page.locator("main")).to_contain_text("A silver sedan was seen leaving a break-in.")
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
