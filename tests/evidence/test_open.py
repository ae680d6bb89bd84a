"""`open`: what is written, for whom, and what a hostile bundle can't do."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.core.errors import TroubleError
from agent.evidence.open import Opened, open_bundle
from tests.fakes.evidence_bundles import BundleCase, bundle_case, bundle_cases, joined_sha256

LONDON = ZoneInfo("Europe/London")
SEGMENT = "19c2195094611a2f632b09ccb5846799"


def opened(name: str, folder: Path) -> Opened:
    case = bundle_case(name)
    return open_bundle(case.write(folder / "bundle"), case.key, folder / "out", LONDON, case.root)


def test_the_joined_film_is_the_one_of_the_vectors_and_plays(tmp_path: Path) -> None:
    (film,) = opened("good", tmp_path).films
    assert hashlib.sha256(film.read_bytes()).hexdigest() == joined_sha256()
    shown = ["-show_entries", "stream=codec_name,nb_read_packets", "-of", "csv=p=0"]
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", *shown, str(film)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (probe.stdout.strip(), probe.stderr) == ("h264,10", "")


def test_every_segment_is_written_beside_the_film_and_only_for_its_owner(tmp_path: Path) -> None:
    out = opened("good", tmp_path).out
    names = sorted(path.name for path in (out / "segments").iterdir())
    assert len(names) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in out.rglob("*"))


@pytest.mark.parametrize("case", bundle_cases(), ids=lambda case: case.name)
def test_open_says_yes_to_exactly_the_vectors_that_hold(case: BundleCase, tmp_path: Path) -> None:
    answer = open_bundle(case.write(tmp_path / "bundle"), case.key, tmp_path / "out", LONDON, case.root)
    assert answer.report.holds is case.holds
    told = json.loads((answer.out / "report.json").read_text())
    assert told["holds"] is case.holds
    page = (answer.out / "report.html").read_text()
    assert ("Everything that was judged holds." in page) is case.holds


def test_the_report_says_who_when_what_and_what_it_cannot_show(tmp_path: Path) -> None:
    page = (opened("good", tmp_path).out / "report.html").read_text()
    for fact in (
        "Example Police Department",
        "J. Rivera, badge 4711",
        "24-000001",
        "2027-01-15 07:55:00 GMT (+0000)",
        "2027-01-15 07:55:00 UTC",
        "e4e3c1d0a3cf6e83",
        joined_sha256(),
        "That the scene was real",
        "stood in the area",
    ):
        assert fact in page, fact


def test_a_missing_number_of_a_clip_is_told(tmp_path: Path) -> None:
    answer = opened("good, one segment of three", tmp_path)
    assert answer.report.clips[0].missing == (0,)
    assert "number 0 of this recording is not in the bundle" in (answer.out / "report.html").read_text()


def test_times_are_shown_in_the_zone_that_was_asked_for(tmp_path: Path) -> None:
    case = bundle_case("good")
    zone = ZoneInfo("America/Los_Angeles")
    answer = open_bundle(case.write(tmp_path / "bundle"), case.key, tmp_path / "out", zone, case.root)
    assert answer.report.consents[0].at.local == "2027-01-14 23:55:00 PST (-0800)"


def test_nothing_opens_with_another_agencys_key(tmp_path: Path) -> None:
    answer = opened("another agency's key", tmp_path)
    assert answer.films == ()
    assert list((answer.out / "segments").iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note").write_text("mine")
    with pytest.raises(TroubleError, match="is not empty"):
        opened("good", tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["note"]


def test_a_segment_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    case = bundle_case("good")
    bundle = case.write(tmp_path / "bundle")
    real = (bundle / "segments" / f"{SEGMENT}.seg").rename(tmp_path / "elsewhere")
    (bundle / "segments" / f"{SEGMENT}.seg").symlink_to(real)
    answer = open_bundle(bundle, case.key, tmp_path / "out", LONDON, case.root)
    assert "sealed" in {claim.name for claim in answer.report.claims if not claim.holds}


@pytest.mark.parametrize("name", ["submission.json", "receipt.json", f"segments/{SEGMENT}.seg"])
def test_a_pipe_in_place_of_a_file_does_not_hang(name: str, tmp_path: Path) -> None:
    case = bundle_case("good")
    bundle = case.write(tmp_path / "bundle")
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    assert not open_bundle(bundle, case.key, tmp_path / "out", LONDON, case.root).report.holds


@pytest.mark.parametrize("name", ["submission.json", "receipt.json", f"segments/{SEGMENT}.seg"])
def test_a_folder_in_place_of_a_file_is_named_and_no_crash(name: str, tmp_path: Path) -> None:
    case = bundle_case("good")
    bundle = case.write(tmp_path / "bundle")
    (bundle / name).unlink()
    (bundle / name).mkdir()
    report = open_bundle(bundle, case.key, tmp_path / "out", LONDON, case.root).report
    assert f"{name} is no regular file" in {claim.text for claim in report.claims if not claim.holds}


def test_a_huge_segment_is_refused_before_it_is_read(tmp_path: Path) -> None:
    case = bundle_case("good")
    bundle = case.write(tmp_path / "bundle")
    with (bundle / "segments" / f"{SEGMENT}.seg").open("r+b") as file:
        file.truncate(1 << 40)  # sparse: reading it would need a terabyte
    assert not open_bundle(bundle, case.key, tmp_path / "out", LONDON, case.root).report.holds


def test_a_name_that_is_no_segment_is_named_without_its_tricks(tmp_path: Path) -> None:
    case = bundle_case("good")
    bundle = case.write(tmp_path / "bundle")
    (bundle / "segments" / "\x1b[2J\u202egood.seg").write_bytes(b"")
    answer = open_bundle(bundle, case.key, tmp_path / "out", LONDON, case.root)
    (told,) = (claim.text for claim in answer.report.claims if claim.name == "sealed")
    assert told.isascii()
    assert told.isprintable()
