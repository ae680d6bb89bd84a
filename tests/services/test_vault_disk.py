"""Trouble of the card inside a running vault: full for a while, unreadable, or written by a newer program."""

import json
import sqlite3
from pathlib import Path

import pytest

from agent.consent import sqlite_ledger
from agent.consent.sessions import session_message
from agent.consent.states import State
from agent.core.encoding import b64, unb64
from agent.core.errors import DoorbellError, TroubleError
from agent.services.vault.database import Database, translated
from agent.services.vault.house import House
from agent.services.vault.store_desk import ROOM_BYTES
from tests.fakes.vault_rig import SPKI, FakePhone, FullDisk, Rig


def test_a_full_disk_is_a_fault_and_every_timer_is_tried_again(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    assert rig.share(request_id) is State.GRACE
    disk = FullDisk(rig)
    rig.pass_s(120)
    assert rig.state(request_id) == "GRACE"
    assert rig.uplink.received == {}
    assert "storage-full" in rig.vault.house.faults.all()
    disk.make_room()
    rig.pass_s(20)
    assert rig.state(request_id) == "DELIVERED"
    assert "storage-full" not in rig.vault.house.faults.all()


def test_a_full_disk_is_told_once_an_hour_and_not_by_every_timer(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.share(rig.ask_the_owner())
    disk = FullDisk(rig)
    rig.clock.jump_s(2)  # news that every look at the clock would write down
    rig.pass_s(3_500)
    assert caplog.text.count("no room left") == 1
    rig.pass_s(300)
    assert caplog.text.count("no room left") == 2
    disk.make_room()


def test_the_owner_signs_in_on_a_full_disk_too(rig: Rig) -> None:
    rig.pass_s(7_200, step_s=600)
    disk = FullDisk(rig, "phones", "UPDATE")
    challenge = unb64(rig.vault.phones.challenge(rig.phone.kid)["challenge"])
    sig = rig.phone.sign_key.sign(session_message(SPKI, challenge))
    token = rig.vault.phones.session(rig.phone.kid, b64(sig))["session"]
    assert rig.vault.phones.who(token).kid == rig.phone.kid
    assert "storage-full" in rig.vault.house.faults.all()
    disk.make_room()


def test_who_waits_for_the_directory_is_answered_on_a_full_disk_too(rig: Rig) -> None:
    disk = FullDisk(rig)
    rig.pass_s(3600)
    said: list[DoorbellError | None] = []
    rig.vault.directory.refresh(said.append)
    rig.settle()
    disk.make_room()
    assert said == [None]


def test_a_press_that_never_came_brings_the_request_back_after_a_full_disk(tmp_path: Path) -> None:
    rig = Rig(tmp_path, consent='button = "always"', button="pin = 4")
    request_id = rig.ask_the_owner()
    assert rig.share(request_id) is State.CONFIRMING
    disk = FullDisk(rig)
    rig.pass_s(150)
    disk.make_room()
    rig.pass_s(20)
    assert rig.state(request_id) == "PENDING"
    rig.close()


def test_a_disk_that_is_full_when_a_segment_was_uploaded_delays_only(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.uplink.holds_back = True
    rig.share(request_id)
    rig.pass_s(61)
    disk = FullDisk(rig, "uploads")
    rig.uplink.let_go()
    rig.settle()
    disk.make_room()
    rig.uplink.holds_back = False
    rig.pass_s(60)
    assert rig.state(request_id) == "DELIVERED"


def test_a_disk_that_is_full_when_the_receipt_comes_delays_only(rig: Rig) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.pass_s(59)
    rig.uplink.holds_back = True
    rig.pass_s(2)
    rig.uplink.let_go()
    rig.settle()
    assert rig.state(request_id) == "HANDED_OVER"
    disk = FullDisk(rig)
    rig.uplink.let_go()
    rig.settle()
    assert rig.state(request_id) == "HANDED_OVER"
    disk.make_room()
    rig.uplink.holds_back = False
    rig.pass_s(60)
    assert rig.state(request_id) == "DELIVERED"


def test_a_clock_that_arrives_while_the_disk_is_full_is_mapped_all_the_same(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.clock.is_synchronised = False
    rig.clock.reboot()
    rig.restart()
    rig.record(clock="unsynced", start_s=100, mono_ms=15_000)
    disk = FullDisk(rig)
    rig.clock.is_synchronised = True
    rig.pass_s(10)
    disk.make_room()
    rig.pass_s(10)
    assert [entry["state"] for entry in rig.log() if entry["t"] == "clock"][-1] == "synced"
    (placed,) = rig.vault.db.tx.execute("SELECT placed FROM segments").fetchone()
    assert placed
    rig.close()


def test_a_phone_put_out_while_the_disk_is_full_is_no_recipient_for_long(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise TroubleError("storage-full", "no room left")

    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.admit(other.kid)
    recipients = rig.config.device.state_dir / "recipients.json"
    assert other.open_kid in recipients.read_text()
    with monkeypatch.context() as patch:
        patch.setattr("agent.services.vault.phones_desk.write_atomically", full)
        rig.vault.phones.unpair(other.kid)
        rig.pass_s(30)
    rig.pass_s(20)
    assert other.open_kid not in recipients.read_text()


def _spoil(rig: Rig, table: str) -> None:
    """Overwrite the first page of a table and of its indexes on the card."""
    tx = rig.vault.db.tx
    tx.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (page_bytes,) = tx.execute("PRAGMA page_size").fetchone()
    roots = tx.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table,)).fetchall()
    with (rig.config.device.state_dir / "vault" / "vault.db").open("r+b") as file:
        for (root,) in roots:
            file.seek((root - 1) * page_bytes)
            file.write(b"\xff" * page_bytes)
    tx.execute("PRAGMA shrink_memory")


def test_an_error_of_the_card_while_reading_is_trouble_for_the_asker_only(rig: Rig) -> None:
    _spoil(rig, "requests")
    said: list[DoorbellError] = []
    rig.vault.loop.on_trouble(said.append)
    rig.vault.loop.post(rig.vault.requests.look_at_times)
    rig.settle()
    assert [error.code for error in said if isinstance(error, TroubleError)] == ["storage-failed"]


@pytest.mark.parametrize(
    "statement", ["SELECT no_such FROM log", "INSERT INTO facts VALUES ('twice', 1), ('twice', 2)", "SELECT ?"]
)
def test_a_mistake_in_our_own_sql_is_no_trouble_of_the_card(rig: Rig, statement: str) -> None:
    with pytest.raises(sqlite3.Error), rig.vault.db.transaction() as tx:
        tx.execute(statement)
    with pytest.raises(sqlite3.Error), translated("the vault's database"):
        rig.vault.db.tx.execute(statement)
    assert rig.vault.db.fault is None
    assert not rig.vault.db.tx.in_transaction


def test_a_disk_that_others_have_filled_lets_the_oldest_go(rig: Rig) -> None:
    held = [rig.record() for _ in range(5)]
    size = rig.vault.folder.size(held[0])
    assert size is not None
    rig.vault.folder.free_bytes = lambda: ROOM_BYTES - size  # type: ignore[method-assign]  # the rig's own
    rig.vault.recorder.status({"recording": True, "faults": ["storage-full"]})
    assert not rig.vault.store.holds(held[0])
    assert rig.vault.store.holds(held[-1])


def test_settings_of_a_newer_program_are_left_alone(rig: Rig) -> None:
    newer = {**rig.vault.house.settings.to_json(), "max_officers": 1}
    sqlite_ledger.set_fact(rig.vault.db.tx, "settings", json.dumps(newer).encode())
    house = rig.vault.house
    with pytest.raises(TroubleError, match=r"'max_officers'.*install the newer one again") as refused:
        House(house.config, house.clock, house.db, house.keys, house.loop)
    assert refused.value.code == "state-newer"


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    Database(tmp_path / "v.db").close()
    raw = sqlite3.connect(tmp_path / "v.db")
    raw.execute("UPDATE versions SET version = 99")
    raw.commit()
    raw.close()
    with pytest.raises(TroubleError, match="version 99"):
        Database(tmp_path / "v.db")
