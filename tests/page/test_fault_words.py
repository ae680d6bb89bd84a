"""Every fault is said in plain words: the page's table, the console's and docs/ref/faults.md are one list."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from agent.consent.timekeeping import Trust
from agent.services.fault_words import FAULTS
from agent.services.vault.directory_desk import FAULTS as DIRECTORY_FAULTS
from agent.services.vault.verbs import PAGE_FAULTS
from tests.page.owner_browser import OwnerBrowser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from tests.page.serving import Served

ROOT = Path(__file__).parents[2]
LOADED = 'async () => (await import("/static/faults.js")).FAULTS'
WORDS = (
    'async (codes) => { const { faultWords } = await import("/static/faults.js"); return codes.map(faultWords); }'
)
OF_A_PART = re.compile(r"(camera|storage|recorder)-[a-z]+|zones|button")
# Rooms whose troubles the recorder and the vault turn into faults.
ROOMS = ("capture", "buffer", "services", "consent", "page")


def documented() -> list[str]:
    text = (ROOT / "docs/ref/faults.md").read_text()
    return re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)


def literals(node: ast.AST) -> list[str]:
    """The whole string literals below a node; pieces of an f-string, keys and conditions are no codes."""
    pieces: set[int] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.JoinedStr):
            pieces |= {id(piece) for piece in one.values}
        elif isinstance(one, ast.Dict):
            pieces |= {id(key) for key in one.keys}
        elif isinstance(one, ast.IfExp):
            pieces |= {id(part) for part in ast.walk(one.test)}
    found = [one for one in ast.walk(node) if isinstance(one, ast.Constant) and id(one) not in pieces]
    return [one.value for one in found if isinstance(one.value, str)]


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call in the rooms, by the name of what is called."""
    for room in ROOMS:
        for file in (ROOT / "agent" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    called = node.func
                    yield called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""), node


def set_in_code() -> Iterator[str]:
    """Literal codes that `set_faults` is given, and codes of the troubles that end up there."""
    for name, call in calls():
        if name == "set_faults":
            yield from (one for text in call.args[1:] for one in literals(text))
        elif name == "TroubleError" and call.args:
            yield from (one for one in literals(call.args[0]) if OF_A_PART.fullmatch(one))


def raised_in_code() -> set[str]:
    """The codes of all errors that are made."""
    made = (call for name, call in calls() if name in {"TroubleError", "RefusedError"} and call.args)
    return {code for call in made for code in literals(call.args[0])}


def appended_in_code() -> set[str]:
    """What is appended to the lists of faults that recorder and pins are said to have."""
    return {code for name, call in calls() if name == "append" for code in literals(call)}


def test_what_the_code_can_set_is_documented() -> None:
    clock = {f"clock-{trust.value}" for trust in Trust if trust is not Trust.TRUSTED}
    codes = {*set_in_code(), *DIRECTORY_FAULTS, *PAGE_FAULTS, *clock, "lamp"}
    assert {
        "button",
        "camera-missing",
        "upload-waits",
        "no-recipient",
        "storage-pinned",
    } <= codes  # the search finds them
    assert codes <= set(documented())


def test_what_is_documented_can_occur() -> None:
    clock = {f"clock-{trust.value}" for trust in Trust if trust is not Trust.TRUSTED}
    by_error = (DIRECTORY_FAULTS | PAGE_FAULTS) & raised_in_code()
    codes = {*set_in_code(), *by_error, *clock, *appended_in_code()}
    assert set(documented()) <= codes
    assert set(documented()) > DIRECTORY_FAULTS | PAGE_FAULTS


def test_the_consoles_table_is_the_documents() -> None:
    assert sorted(FAULTS) == sorted(documented())
    assert len(set(documented())) == len(documented())


@pytest.mark.browser
def test_the_pages_table_is_the_documents(served: Served, new_phone: Callable[[], Page]) -> None:
    page = new_phone()
    page.goto(served.origin + "/")
    table = page.evaluate(LOADED)
    assert sorted(table) == sorted(documented())
    assert len({title for title, _ in table.values()}) == len(table)
    for title, todo in table.values():
        assert not title.endswith(".")
        assert todo.endswith(".")


@pytest.mark.browser
def test_an_unknown_code_gets_general_words_and_only_its_plain_signs(
    served: Served, new_phone: Callable[[], Page]
) -> None:
    page = new_phone()
    page.goto(served.origin + "/")
    odd = ["no-such-fault", "constructor", "a\u202e<b>" + "x" * 100, ""]
    words = page.evaluate(WORDS, odd)
    assert {title for title, _ in words} == {"Something at the doorbell is not right"}
    assert [todo.split('"')[1] for _, todo in words] == [*odd[:2], "ab" + "x" * 38, ""]


@pytest.mark.browser
def test_every_fault_is_shown_on_home(served: Served, new_phone: Callable[[], Page]) -> None:
    owner = OwnerBrowser(new_phone())
    owner.pair(served.pair_link())
    served.vault.faults = documented()
    served.vault.is_recording, served.vault.clock = False, "suspect"
    owner.open("more")
    owner.open("")
    table = owner.page.evaluate(LOADED)
    for code, (title, _) in table.items():
        if code == "clock-suspect":  # its notice leads to where the time is confirmed
            expect(owner.page.get_by_role("link", name="Check the time in Settings")).to_have_count(1)
            continue
        expect(owner.page.get_by_role("heading", name=title, exact=True)).to_have_count(1)


@pytest.mark.browser
@pytest.mark.parametrize(("count", "words"), [(1, "1 request was held back"), (23, "23 requests were held back")])
def test_requests_that_were_withheld_are_a_number_in_plain_words(
    served: Served, new_phone: Callable[[], Page], count: int, words: str
) -> None:
    owner = OwnerBrowser(new_phone())
    owner.pair(served.pair_link())
    expect(owner.page.locator(".withheld")).to_have_count(0)
    served.vault.withheld = count
    for screen in ("requests", ""):
        owner.open(screen)
        expect(owner.page.locator(".withheld")).to_contain_text(words)
