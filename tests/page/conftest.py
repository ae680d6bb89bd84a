"""A served page, and phones for it: one that speaks Python, and as many real browsers as a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.page_world import now_ms
from tests.page.phone import PhoneClient
from tests.page.serving import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.page.owner_browser import OwnerBrowser
    from tests.page.serving import Served

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture
def served(running: Served) -> Iterator[Served]:
    """A new doorbell behind a server that is shared by the module's tests."""
    running.vault.reset()
    yield running
    running.hub.end_all()


@pytest.fixture
def phone(served: Served) -> PhoneClient:
    """A paired, admitted phone with a session."""
    client = PhoneClient(served)
    client.pair()
    client.log_in()
    return client


@pytest.fixture
def new_phone(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Make phones: each call is another one, with storage of its own; errors on any page fail the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make() -> Page:
        context = browser.new_context(viewport=PHONE, ignore_https_errors=True, has_touch=True, locale="en-GB")  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def screen(served: Served, new_phone: Callable[[], Page]) -> Page:
    """The page as a browser opens it that is paired with nothing."""
    page = new_phone()
    page.goto(served.origin + "/")
    return page


@pytest.fixture
def owner(served: Served, new_phone: Callable[[], Page]) -> OwnerBrowser:
    """A paired owner at a real browser, with two clips of the last half hour."""
    from tests.page.owner_browser import OwnerBrowser  # noqa: PLC0415 - only tests in a browser need playwright

    phone = OwnerBrowser(new_phone())
    phone.pair(served.pair_link())
    served.vault.record(now_ms() - 1_800_000)
    served.vault.record(now_ms() - 900_001, segments=2)
    return phone
