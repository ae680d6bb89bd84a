"""Every screen, light and dark: readable, named, large enough to hit, and usable without touching the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.fakes.page_world import Agency, now_ms, request_payload
from tests.page.owner_browser import OwnerBrowser

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.page.serving import Served

pytestmark = pytest.mark.browser

SCREENS = ["", "requests", "request", "clips", "more", "phones", "settings", "log", "alerts"]

# What is wrong on the screen as it stands: WCAG 2.2 contrast of text, names of controls, size of targets.
AUDIT = """() => {
  const problems = [];
  const rgba = (text) => {
    const found = text.match(/[0-9.]+/g).map(Number);
    return found.length === 3 ? [...found, 1] : found;
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
  const groundOf = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (rgb) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const visible = (node) => node.getClientRects().length > 0 && getComputedStyle(node).visibility === "visible";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (text.textContent.trim() === "" || !visible(node)) continue;
    if (node.closest(".skip, .unseen, #said, :disabled")) continue;
    const style = getComputedStyle(node);
    const ground = groundOf(node);
    let alpha = 1;
    for (let at = node; at; at = at.parentElement) alpha *= Number(getComputedStyle(at).opacity);
    const [r, g, b, a] = rgba(style.color);
    const ratio = contrast(over([r, g, b, a * alpha], ground), ground);
    const isLarge = parseFloat(style.fontSize) >= 24;
    if (ratio < (isLarge ? 3 : 4.5)) problems.push(`contrast ${ratio.toFixed(2)}: ${text.textContent.trim()}`);
  }
  for (const node of document.querySelectorAll("button, a[href], input, select, summary")) {
    if (!visible(node) || node.closest(".skip")) continue;
    const name = node.getAttribute("aria-label") || node.textContent.trim() ||
      [...(node.labels ?? [])].map((label) => label.textContent.trim()).join(" ");
    if (!name) problems.push(`no name: ${node.outerHTML.slice(0, 80)}`);
    const target = node.closest("label") ?? node;
    const { width, height } = target.getBoundingClientRect();
    const isInText = node.tagName === "A" && node.closest("p");
    if (!isInText && (width < 40 || height < 40)) problems.push(`${width}x${height}: ${name}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) problems.push("wider than the screen");
  if (document.querySelectorAll("h1").length !== 1) problems.push("not exactly one h1");
  for (const node of document.querySelectorAll("img, svg[role=img], video")) {
    if (!node.getAttribute("alt") && !node.getAttribute("aria-label")) problems.push("a picture without words");
  }
  return problems;
}"""


def furnished(served: Served, page: Page) -> tuple[OwnerBrowser, str]:
    owner = OwnerBrowser(page)
    owner.pair(served.pair_link())
    served.vault.record(now_ms() - 600_000)
    served.vault.faults = ["broker-down", "storage-full"]
    served.vault.alert_payloads = [
        {
            "v": 1,
            "id": "0" * 32,
            "source": {"kind": "neighbour", "agency": None},
            "category": "burglary",
            "title": "Garages opened on Elm Street",
            "text": "Three were opened last night.",
            "area": [],
            "iat": now_ms() // 1000,
            "exp": now_ms() // 1000 + 3600,
        }
    ]
    return owner, served.vault.receive_any()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_screen_is_readable_named_and_large_enough(
    served: Served, new_phone: Callable[[], Page], scheme: Any
) -> None:
    page = new_phone()
    page.emulate_media(color_scheme=scheme)
    page.goto(served.pair_link())
    page.get_by_label("Name of this phone").wait_for()
    assert page.evaluate(AUDIT) == []
    owner, request = furnished(served, page)
    for screen in SCREENS:
        owner.open(f"request/{request}" if screen == "request" else screen)
        assert page.evaluate(AUDIT) == [], screen
    owner.open_request(request)
    owner.choose_all()
    page.get_by_text("Choose parts of it").click()
    page.get_by_text("Let them contact you").click()
    assert page.evaluate(AUDIT) == [], "choosing"
    page.locator("#yes").click()
    assert page.evaluate(AUDIT) == [], "dialog"
    page.get_by_role("button", name="Yes, share this").click()
    expect(page.locator(".countdown")).to_be_visible()
    assert page.evaluate(AUDIT) == [], "grace"


def test_a_small_old_phone_and_large_letters_still_fit(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    page.set_viewport_size({"width": 320, "height": 568})
    owner, request = furnished(served, page)
    for screen in SCREENS:
        owner.open(f"request/{request}" if screen == "request" else screen)
        page.evaluate("document.documentElement.style.fontSize = '22px'")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), screen


LONG = "Niederrheinisch-Westfälische Verkehrsordnungswidrigkeitenbehördenverwaltung Nord"
SPILLS = """() => [...document.querySelectorAll("body *")].filter((node) => {
  const { left, right, width } = node.getBoundingClientRect();
  return width > 0 && !node.closest(".unseen, .skip, #said") && (left < -0.5 || right > innerWidth + 0.5);
}).map((node) => `${node.tagName} ${node.textContent.trim().slice(0, 60)}`)"""


@pytest.mark.parametrize("size", [(390, 844), (360, 640)])
def test_long_foreign_words_break_and_push_nothing_off_the_screen(
    served: Served, new_phone: Callable[[], Page], size: tuple[int, int]
) -> None:
    page = new_phone()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    owner = OwnerBrowser(page)
    owner.pair(served.pair_link(), "Küchenbetriebstelefonanlagenapparat")
    served.vault.agency = Agency(name=LONG[:80])
    served.vault.record(now_ms() - 600_000)
    served.vault.faults, served.vault.withheld = ["directory-refused", "x" * 200], 1_000_000
    wordy = {"text": "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz" * 5, "case": "A" * 40}
    officer = {"name": "Müller-Lüdenscheidt-Hohenzollern-Sigmaringen", "badge": "A" * 16}
    for _ in range(20):
        payload = request_payload(served.vault.agency, officer=officer, **wordy)
        request = served.vault.receive(payload).payload["id"]
    for screen in SCREENS:
        owner.open(f"request/{request}" if screen == "request" else screen)
        assert page.evaluate(SPILLS) == [], screen
    owner.open_request(request)
    owner.choose_all()
    page.locator("#yes").click()
    assert page.evaluate(SPILLS) == [], "dialog"


def test_many_open_requests_hide_neither_that_it_records_nor_what_is_wrong(
    served: Served, new_phone: Callable[[], Page]
) -> None:
    owner, _ = furnished(served, new_phone())
    for _ in range(19):
        served.vault.receive_any()
    owner.open("more")
    owner.open("")
    main = owner.page.locator("main")
    expect(main.locator("a[href^='#/request/']")).to_have_count(3)
    expect(main.get_by_role("link", name="17 more open requests")).to_have_count(1)
    expect(main).to_contain_text("Your doorbell is recording")
    served.vault.is_recording = False
    owner.open("more")
    owner.open("")
    expect(main.locator("> *").first).to_contain_text("Your doorbell is not recording")


def test_a_sheet_opens_at_its_heading_and_an_extra_enter_answers_nothing(
    served: Served, new_phone: Callable[[], Page]
) -> None:
    page = new_phone()
    page.set_viewport_size({"width": 360, "height": 640})
    owner, request = furnished(served, page)
    owner.open_request(request)
    owner.choose_all()
    page.locator("#yes").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sheet-title")).to_be_focused()
    assert page.evaluate("document.querySelector('dialog').scrollTop") == 0
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert served.vault.requests_by_id[request].state == "PENDING"


def test_a_request_can_be_answered_by_keyboard_alone(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    owner, request = furnished(served, page)
    owner.open_request(request)

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    tab_to("#choose-all")
    page.keyboard.press("Enter")
    tab_to("#yes")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert served.vault.requests_by_id[request].state == "PENDING"
    assert page.evaluate("document.activeElement.id") == "yes"
    page.keyboard.press("Enter")
    tab_to("dialog button.primary")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert served.vault.requests_by_id[request].state == "GRACE"
