"""The command line itself: its help, where options may stand, and what `init --json` tells a program."""

import hashlib
import json
from pathlib import Path

import pytest

from agent.__main__ import HELP, PROCESSES, main

CONFIG = """
[device]
location = [37.7749, -122.4194]
state_dir = "{folder}/state"
run_dir = "{folder}/run"
[camera]
source = "scene:porch"
"""
PLATFORM = """
[platform]
broker = "mqtts://broker.example"
directory = "https://directory.example/d"
ca = "ca.pem"
root = "root.json"
"""
BUNDLE = """
name = "Example platform"
broker = "mqtts://broker.example"
directory = "https://directory.example/d"
ca = "no certificate"
root = "{}"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "doorbell.toml"
    path.write_text(CONFIG.format(folder=tmp_path))
    return path


def test_options_that_every_verb_has_may_stand_before_it(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(config.read_text() + PLATFORM)
    for words in (
        ["status", "--config", str(config), "--json"],
        ["--config", str(config), "status", "--json"],
        ["--json", f"--config={config}", "status"],
        ["--config", str(config), "--json", "status"],
    ):
        assert main(words) == 1
        assert str(tmp_path / "run") in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--json"], ["--config"], ["--config", "x"], ["--quiet", "status"]])
def test_without_a_verb_or_with_another_option_it_is_wrong_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_version_needs_no_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("doorbell ")


def test_init_tells_programs_the_roots_fingerprint_too(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "platform.toml"
    bundle.write_text(BUNDLE)
    assert main(["init", "--config", str(config), "--platform", str(bundle), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["root_fingerprint"].replace(" ", "") == hashlib.sha256(b"{}").hexdigest()
    assert set(told) == {"link", "recovery", "root_fingerprint"}


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(words)
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out + told.err


@pytest.mark.parametrize("verb", HELP)
def test_help_says_words_as_they_are_written(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said(capsys, verb, "--help")
    assert code == 0
    text = HELP[verb]
    assert f"{text[0].upper()}{text[1:]}." in " ".join(told.split())


@pytest.mark.parametrize("verb", PROCESSES)
def test_a_process_takes_no_option_that_it_would_ignore(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said(capsys, verb, "--json")
    assert code == 2
    assert "--json" in told


@pytest.mark.parametrize("verb", ["admit", "unpair"])
def test_a_phone_is_named_by_its_id(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "the phone's id: 16 digits and letters" in " ".join(said(capsys, verb, "--help")[1].split())
