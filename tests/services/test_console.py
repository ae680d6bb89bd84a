"""The owner's part at the console, against a vault that listens."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.__main__ import CONSOLE, main
from agent.consent.pairing import six_digits
from agent.consent.states import State
from agent.core.checkpoint import parse_checkpoint
from agent.core.encoding import unb64
from agent.core.keys import raw_public
from agent.core.merkle import leaf_hash, tree_root
from agent.services.console import printable
from agent.services.vault.verbs import ConsoleVerbs
from tests.fakes.vault_rig import FakePhone, Rig


class Listening(Rig):
    """A rig whose vault runs in a thread and listens on its sockets."""

    def listen(self) -> None:
        """Start the vault anew in a thread of its own, to which its database belongs."""
        self.close()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self._thread.start()
        assert self._ready.wait(10)

    def _live(self) -> None:
        self.start()
        self._ready.set()
        self.vault.loop.run()
        self.close()

    def silence(self) -> None:
        self.vault.loop.stop()
        self._thread.join()

    def run(self, *words: str) -> int:
        return main([words[0], "--config", str(self.config.path), *words[1:]])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Listening]:
    made = Listening(tmp_path)
    made.record()
    made.listen()
    yield made
    made.silence()


def test_pair_prints_a_link(house: Listening, capsys: pytest.CaptureFixture[str]) -> None:
    assert house.run("pair") == 0
    said = capsys.readouterr().out
    assert "https://127.0.0.1:8443/pair#1." in said
    assert "120 seconds" in said
    assert house.run("pair", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {"url", "expires_s"}


def test_phones_are_listed_and_admitted(house: Listening, capsys: pytest.CaptureFixture[str]) -> None:
    assert house.run("phones") == 0
    assert house.phone.kid in capsys.readouterr().out
    for kid in (house.phone.kid, "0" * 16):
        assert house.run("admit", kid) == 1
        said = capsys.readouterr().err
        assert "no phone of that id waits" in said
        assert len(said.strip().split("\n")) == 1
    assert house.run("admit", "nobody") == 1


def test_status_says_what_is_not_right_and_what_to_do(
    house: Listening, capsys: pytest.CaptureFixture[str]
) -> None:
    assert house.run("status") == 0
    said = capsys.readouterr().out
    assert "recorder-down" in said
    assert "Motion" not in said
    assert "Storage" in said
    assert house.run("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["clock"] == "synced"


def test_status_says_what_the_recorder_makes_of_the_picture(
    house: Listening, capsys: pytest.CaptureFixture[str]
) -> None:
    motion: Any = {"clip": True, "why": "motion", "score_milli": 1_520}
    house.vault.recorder.status({"recording": True, "faults": [], "motion": motion})
    assert house.run("status") == 0
    assert "Motion      something moves (152 % of what starts a clip); a clip is being" in capsys.readouterr().out


def test_what_was_held_back_is_said_as_on_the_page(house: Listening, capsys: pytest.CaptureFixture[str]) -> None:
    house.vault.arrivals.withheld = 2
    assert house.run("status") == 0
    assert "2 held back since the start, because too many came at once" in capsys.readouterr().out


def test_an_unknown_request_is_one_plain_line(house: Listening, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("approve", "decline", "stop"):
        assert house.run(verb, "0" * 32) == 1
        said = capsys.readouterr().err
        assert "there is no such request: `doorbell requests` lists them" in said
        assert len(said.strip().split("\n")) == 1


def test_what_can_not_be_stopped_is_said_and_what_is_stopped_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house = Listening(tmp_path)
    request_id = house.ask_the_owner()
    house.listen()
    assert house.run("stop", request_id) == 1
    assert "the request is PENDING: there is nothing to stop" in capsys.readouterr().err
    assert house.run("decline", request_id) == 0
    assert "Declined. Nobody is told." in capsys.readouterr().out
    assert house.run("decline", request_id) == 1
    assert "not waiting for an answer any more" in capsys.readouterr().err
    house.silence()


def test_what_was_approved_is_stopped_at_the_console(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house = Listening(tmp_path)
    request_id = house.ask_the_owner()
    assert house.share(request_id) is State.GRACE
    house.listen()
    assert house.run("stop", request_id) == 0
    assert capsys.readouterr().out == "Stopped. The request is PENDING now.\n"
    house.silence()


def test_the_log_is_exported_with_its_checkpoint(house: Listening, capsys: pytest.CaptureFixture[str]) -> None:
    assert house.run("log", "--json") == 0
    whole = json.loads(capsys.readouterr().out)
    leaves = [leaf_hash(entry.encode()) for entry in whole["entries"]]
    assert tree_root(leaves) == unb64(whole["root"])
    checkpoint = parse_checkpoint(whole["checkpoint"], house.vault.house.keys.device_pub)
    assert tree_root(leaves[: checkpoint.size]) == checkpoint.root
    assert house.run("log") == 0
    assert len(capsys.readouterr().out.strip().split("\n")) == whole["size"]


def test_a_saved_checkpoint_finds_a_changed_log(
    house: Listening, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert house.run("log", "--checkpoint") == 0
    saved = tmp_path / "saved.txt"
    saved.write_text(capsys.readouterr().out)
    assert house.run("log", "--against", str(saved)) == 0
    assert "Unchanged" in capsys.readouterr().out
    assert house.run("log", "--against", str(saved), "--json") == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] is True
    done = threading.Event()

    def forge() -> None:
        with house.vault.db.transaction() as tx:
            tx.execute("UPDATE log SET leaf = ? WHERE n = 0", (leaf_hash(b"another past"),))
        done.set()

    house.vault.loop.post(forge)
    assert done.wait(20)
    assert house.run("log", "--against", str(saved)) == 1
    assert "THE LOG WAS CHANGED" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        *("", "nothing", "doorbell/x\n7\n\n", "doorbell/0000000000000000\n1\nAAA=\n\n"),
        *("doorbell/x\n0\n\n", "doorbell/x\n\u00b2\n\n", f"doorbell/x\n{'7' * 5_000}\n\n"),
    ],
)
def test_what_is_no_checkpoint_is_one_plain_line(
    house: Listening, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "saved.txt").write_text(text)
    assert house.run("log", "--against", str(tmp_path / "saved.txt")) == 1
    assert len(capsys.readouterr().err.strip().split("\n")) == 1
    assert house.run("log", "--against", str(tmp_path / "none.txt")) == 1


def test_a_second_phone_waits_until_the_console_admits_it(
    house: Listening, capsys: pytest.CaptureFixture[str]
) -> None:
    guest, paired = FakePhone(), threading.Event()

    def pair() -> None:
        house.pair(guest)
        paired.set()

    house.vault.loop.post(pair)
    assert paired.wait(20)
    assert house.run("phones") == 0
    said = capsys.readouterr().out
    assert "waiting" in said
    digits = six_digits(raw_public(guest.sign_key), raw_public(guest.open_key))
    assert f"Does this phone show {digits[:3]} {digits[3:]}? Only then: doorbell admit {guest.kid}" in said
    assert house.run("admit", guest.kid, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"phone": guest.kid, "state": "admitted"}
    assert house.run("phones") == 0
    assert "Only then" not in capsys.readouterr().out


def test_a_lost_phone_is_put_out_at_the_console(house: Listening, capsys: pytest.CaptureFixture[str]) -> None:
    lost = house.phone
    assert house.run("unpair", lost.kid) == 0
    assert f"Phone {lost.kid} is out" in capsys.readouterr().out
    assert house.run("phones") == 0
    assert lost.kid not in capsys.readouterr().out
    kept = json.loads((house.config.device.state_dir / "recipients.json").read_text())["recipients"]
    assert lost.open_kid not in {one["kid"] for one in kept}
    for nobody in (lost.kid, "nobody"):
        for verb in ("unpair", "admit"):
            assert house.run(verb, nobody) == 1
            said = capsys.readouterr().err
            assert "`doorbell phones` lists" in said
            assert len(said.strip().split("\n")) == 1


def test_every_verb_of_the_console_has_its_command() -> None:
    commands = {*CONSOLE, "consistency"}  # which `log --against` asks
    vault: Any = SimpleNamespace()
    assert ConsoleVerbs(vault, vault, vault, vault).table().keys() == commands


def test_foreign_text_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\u202ec\n") == "a\\u001b[2Jb\\u202ec\\u000a"
