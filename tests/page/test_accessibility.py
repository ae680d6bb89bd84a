"""Every screen, light and dark: readable, named, large enough to hit, and usable without touching the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.fakes.page_world import now_ms
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
