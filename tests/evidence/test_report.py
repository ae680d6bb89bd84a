"""The page of the report: nothing foreign becomes markup, and gaps are told."""

from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.segment_file import SegmentClock
from agent.evidence.bundle_folder import BundleFolder
from agent.evidence.open import open_bundle
from agent.evidence.report import CANNOT_SHOW, SUSPECT, UNSYNCED, Report, Zone, cannot_show, missing_numbers
from agent.evidence.report_html import render
from agent.evidence.verify import judge
from tests.fakes.evidence_bundles import bundle_case

ATTACK = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='x"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder: Path = tmp_path_factory.mktemp("report")
    case = bundle_case("good")
    bundle = case.write(folder / "bundle")
    return open_bundle(bundle, case.key, folder / "out", ZoneInfo("UTC"), case.root).report


class Shape(HTMLParser):
    """The tags and attribute names of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))


def hostile(part: Any) -> Any:
    """The same with an attack in place of every text in it, however deep."""
    if isinstance(part, str):
        return ATTACK
    if isinstance(part, tuple):
        return tuple(hostile(item) for item in part)
    if isinstance(part, dict):
        return {hostile(name): hostile(item) for name, item in part.items()}
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{field.name: hostile(getattr(part, field.name)) for field in fields(part)})
    return part


def test_no_text_of_a_bundle_becomes_markup(report: Report) -> None:
    consent = replace(report.consents[0], contact={"name": "Alex Rivera"})
    full = replace(report, consents=(consent,), problems=("a clip could not be joined",), not_judged=("a claim",))
    page = render(hostile(full))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 50
    assert Shape(page).seen == Shape(render(full)).seen


def test_the_page_runs_no_script_and_fetches_nothing(report: Report) -> None:
    page = render(report)
    assert "default-src 'none'" in page
    assert "http:" not in page
    assert "https:" not in page


def test_a_report_of_nothing_still_says_that_it_does_not_hold(tmp_path: Path) -> None:
    case = bundle_case("good")
    bundle = case.write(tmp_path / "bundle")
    (bundle / "submission.json").write_text("[]")
    answer = open_bundle(bundle, case.key, tmp_path / "out", ZoneInfo("UTC"), case.root)
    assert not answer.report.holds
    assert "Not everything holds." in render(answer.report)


@given(st.sets(st.integers(0, 60), min_size=1))
def test_missing_numbers_are_exactly_those_below_the_last_that_are_not_there(present: set[int]) -> None:
    assert set(missing_numbers(sorted(present))) == set(range(max(present))) - present


def test_gaps_are_told_as_ranges(report: Report) -> None:
    gappy = replace(report, clips=(replace(report.clips[0], missing=(0, 1, 2, 5, 7, 8)),))
    assert "numbers 0 to 2, 5, 7 to 8 of this recording" in render(gappy)


def test_a_time_is_told_twice_only_where_its_zone_is_not_utc(report: Report) -> None:
    assert report.request is not None
    there = Zone("Europe/London", ZoneInfo("Europe/London")).moment(1_790_000_000_000)
    request = replace(report.request, first=there)
    page = render(replace(report, request=request, time_zone="Europe/London"))
    assert "Times are in Europe/London, with UTC below each." in page
    assert there.local in page
    assert there.utc in page
    page = render(report)
    assert "Times are in UTC." in page
    assert "+0000" not in page


def test_missing_numbers_of_a_forged_place_are_bounded() -> None:
    assert len(missing_numbers([10**15])) == 1_000


def test_a_moment_is_told_in_its_zone_through_a_change_of_the_clocks() -> None:
    zone = Zone("Europe/London", ZoneInfo("Europe/London"))
    before, after = zone.moment(1_792_889_999_000), zone.moment(1_792_890_000_250)
    assert before.local == "2026-10-25 01:59:59 BST (+0100)"
    assert after.local == "2026-10-25 01:00:00.250 GMT (+0000)"
    assert after.utc == "2026-10-25 01:00:00.250 UTC"


@pytest.mark.parametrize(("clock", "more"), [("synced", ()), ("unsynced", (UNSYNCED,)), ("suspect", (SUSPECT,))])
def test_what_cannot_be_shown_names_a_clock_that_was_not_set(
    clock: SegmentClock, more: tuple[str, ...], tmp_path: Path
) -> None:
    case = bundle_case("good")
    shown = judge(BundleFolder(case.write(tmp_path / "bundle")), case.root, case.key).segments[0]
    assert cannot_show([replace(shown, meta=replace(shown.meta, clock=clock))]) == (*CANNOT_SHOW, *more)
