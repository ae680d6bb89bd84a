"""What a person sees of `doorbell open` and `doorbell verify`: one line per claim, one plain line for trouble."""

import argparse
import json
import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.evidence import command
from agent.evidence.report import CANNOT_SHOW
from tests.fakes.evidence_bundles import bundle_case


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a good bundle, the agency's key and the root."""
    case = bundle_case("good")
    case.write(tmp_path / "bundle")
    (tmp_path / "key.pem").write_bytes(case.key_pem())
    (tmp_path / "root.json").write_bytes(case.root)
    return tmp_path


def verify(*args: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_verify_arguments(parser)
    return command.run_verify(parser.parse_args(args))


def open_(*args: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_open_arguments(parser)
    return command.run_open(parser.parse_args(args))


def arguments(desk: Path) -> tuple[str, ...]:
    return str(desk / "bundle"), "--root", str(desk / "root.json"), "--key", str(desk / "key.pem")


def test_verify_prints_one_line_per_claim(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*arguments(desk)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:12]] == ["holds"] * 12
    assert not any(line.startswith(("holds", "FAILS")) for line in lines[12:])


def test_verify_says_what_it_cannot_show(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*arguments(desk)) == 0
    lines = capsys.readouterr().out.splitlines()[12:]
    assert lines == [f"-      can't show  {line}" for line in CANNOT_SHOW]


def test_verify_tells_programs_the_same(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*arguments(desk), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is True
    assert len(told["claims"]) == 12
    assert told["cannot_show"] == list(CANNOT_SHOW)


def test_open_names_the_film_and_the_report(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert open_(*arguments(desk), "--out", str(desk / "out"), "--time-zone", "Europe/London") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["film", "report"]
    assert all(Path(line.split()[1]).is_file() for line in lines)


def test_one_changed_byte_anywhere_makes_it_fail_and_name_a_claim(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(20270115)
    for path in sorted(path for path in (desk / "bundle").rglob("*") if path.is_file()):
        good = path.read_bytes()
        for _ in range(25):
            at = draw.randrange(len(good))
            path.write_bytes(good[:at] + bytes([good[at] ^ (1 << draw.randrange(8))]) + good[at + 1 :])
            assert verify(*arguments(desk)) == 1, f"{path.name} at {at}"
            assert "FAILS" in capsys.readouterr().out
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--key": "nowhere.pem"}, "is missing"),
        ({"--key": "root.json"}, "is no PKCS#8 PEM key"),
        ({"--key": "other.pem"}, "is no X25519 key"),
        ({"--root": "nowhere.json"}, "is missing"),
        ({"bundle": "nowhere"}, "is no folder"),
        ({"bundle": "root.json"}, "is no folder"),
        ({"bundle": "x" * 300}, "can't be read: file name too long"),
        ({"--key": "bundle"}, "is no regular file"),
        ({"--root": "bundle"}, "is no regular file"),
        ({"--time-zone": "Europe/../../etc"}, "is no time zone"),
        ({"--out": "root.json"}, "can't be written"),
    ],
)
def test_trouble_is_one_plain_line_and_exit_1(
    change: dict[str, str], words: str, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (desk / "other.pem").write_bytes(other)
    given = {"bundle": "bundle", "--root": "root.json", "--key": "key.pem", "--out": "out"} | change
    zone = given.pop("--time-zone", "UTC")
    bundle = given.pop("bundle")
    args = [word for name, value in given.items() for word in (name, str(desk / value))]
    assert open_(str(desk / bundle), *args, "--time-zone", zone) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.count("\n") == 1
    assert words in streams.err


def test_a_key_and_a_root_may_be_links(desk: Path) -> None:
    for name in ("key.pem", "root.json"):
        (desk / name).rename(desk / f"real-{name}")
        (desk / name).symlink_to(desk / f"real-{name}")
    assert verify(*arguments(desk)) == 0


def test_a_root_that_is_no_root_fails_the_directory(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "root.json").write_text('{"signed": [[[[]]]], "signatures": []}')
    assert verify(*arguments(desk)) == 1
    assert "FAILS  directory" in capsys.readouterr().out
