"""`[notify]`: the child says what went wrong in plain words, and never an address."""

import json
import logging
import os
import sys
import time
from pathlib import Path

import pytest

from agent.services.notifier import BODY, TITLE, Notifier
from tests.fakes.vault_rig import make_config

ADDRESSES = ("good://user:secret@one", "unknown://user:secret@two", "deaf://user:secret@three")
APPRISE = """
import pathlib, sys

class Apprise:
    def add(self, url):
        self.url = url
        return not url.startswith("unknown")

    def notify(self, title, body):
        for stream in (sys.stdout, sys.stderr):
            print("apprise speaks of", self.url, file=stream)
        with pathlib.Path(__file__).with_name("told.txt").open("a") as told:
            told.write(f"{title}|{body}|{self.url}\\n")
        return not self.url.startswith("deaf")
"""


class Sending:
    """A notifier whose child finds this `apprise` first."""

    def __init__(self, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._log = caplog
        self._patch = monkeypatch

    def send(self, apprise: str, *urls: str) -> str:
        """Send once; what the log says then."""
        (self.folder / "apprise.py").write_text(apprise)
        self._patch.setenv("PYTHONPATH", os.pathsep.join([str(self.folder), *sys.path]))
        config = make_config(self.folder, notify=f"urls = {json.dumps(urls)}")
        notifier = Notifier(config.path, config.notify)
        with self._log.at_level(logging.WARNING):
            notifier.notify()
            while notifier._busy.locked():
                time.sleep(0.02)
        return self._log.text


@pytest.fixture
def sending(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Sending:
    return Sending(tmp_path, caplog, monkeypatch)


def test_every_address_is_told_the_one_sentence(sending: Sending) -> None:
    assert sending.send(APPRISE, "good://user:secret@one", "good://two") == ""
    told = (sending.folder / "told.txt").read_text().splitlines()
    assert told == [f"{TITLE}|{BODY}|good://user:secret@one", f"{TITLE}|{BODY}|good://two"]


def test_what_failed_is_said_by_number_and_the_others_are_told(sending: Sending) -> None:
    said = sending.send(APPRISE, *ADDRESSES)
    assert "address 2 is none that apprise knows" in said
    assert "address 3 did not take the notice" in said
    assert "address 1" not in said
    assert "secret" not in said
    assert "one" in (sending.folder / "told.txt").read_text()


def test_a_missing_apprise_is_said_with_what_installs_it(sending: Sending) -> None:
    said = sending.send("raise ImportError", *ADDRESSES)
    assert "apprise is not installed: run pip install '.[notify]'" in said


def test_a_sender_that_breaks_off_is_said_without_its_words(sending: Sending) -> None:
    said = sending.send("import sys\nsys.exit('secret')", *ADDRESSES)
    assert "the sender ended with 1" in said
    assert "secret" not in said
