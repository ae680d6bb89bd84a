"""The world's trouble inside a running vault: peers that leave early, a disk that is full for a while."""

import socket
import sqlite3
import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest

from agent.consent.sessions import session_message
from agent.consent.states import State
from agent.core.encoding import b64, unb64
from agent.core.errors import BugError, DoorbellError, TroubleError
from agent.services.unix_server import Server
from agent.services.vault.database import translated
from agent.services.vault.loop import MAX_POSTED
from agent.services.vault.peers import MAX_LINKS, Peer, listen
from agent.services.vault.store_desk import ROOM_BYTES
from agent.services.wire import Link, Message, Request
from tests.fakes.vault_rig import AGENCY, SPKI, FakePhone, FullDisk, Rig

# ---- peers that leave before they are answered


def test_a_caller_that_leaves_before_its_answer_harms_nobody(rig: Rig, tmp_path: Path) -> None:
    asked = threading.Event()
    kept: list[Request] = []

    def slow(request: Request) -> None:
        kept.append(request)
        asked.set()

    server = listen(Peer("console", {"approve": slow, "status": lambda _: Message()}), tmp_path, rig.vault.loop)
    link = Link.connect(tmp_path / "console.sock")
    link.call_async("approve", {}, lambda _: None)
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if asked.is_set():
            break
    link.close()
    other = Link.connect(tmp_path / "console.sock")
    answers: list[Message | DoorbellError] = []
    other.call_async("status", {}, answers.append)
    kept[0].answer(Message({"state": "GRACE"}))
    kept[0].refuse(TroubleError("link", "whatever"))
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if answers:
            break
    assert isinstance(answers[0], Message)
    other.close()
    server.close()


# ---- a disk that is full for a while


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


def test_a_recorder_that_only_says_that_the_disk_is_full_empties_nothing(rig: Rig) -> None:
    segment = rig.record()
    rig.vault.folder.free_bytes = lambda: ROOM_BYTES  # type: ignore[method-assign]  # the rig's own
    rig.vault.recorder.status({"recording": True, "faults": ["storage-full"]})
    assert rig.vault.store.holds(segment)


def test_a_fault_that_could_move_a_terminals_cursor_is_none(rig: Rig) -> None:
    rig.vault.recorder.status({"recording": True, "faults": ["camera-frozen", "\x1b[2J", "A" * 30, 7]})
    assert rig.vault.house.faults.all() == ["camera-frozen"]


def test_after_the_hour_the_stanzas_of_a_phone_put_out_are_nowhere_on_the_card(rig: Rig) -> None:
    other = FakePhone()
    rig.pair(other)
    rig.vault.phones.admit(other.kid)
    rig.record()
    stanza = rig.vault.answers.stanzas(other.open_kid, -1, 1)[0]
    rig.vault.hourly()
    rig.vault.phones.unpair(other.kid)
    rig.vault.hourly()
    files = [path for path in (rig.config.device.state_dir / "vault").glob("vault.db*") if path.is_file()]
    assert isinstance(stanza, dict)
    assert unb64(stanza["stanza"]) not in b"".join(path.read_bytes() for path in files)


# ---- our own bugs, where a peer's words meet them


class OurBug:
    """Stands in place of a function that has a bug."""

    def __init__(self) -> None:
        self.met = 0

    def __call__(self, *_: object, **__: object) -> NoReturn:
        self.met += 1
        raise KeyError("nobody expected this")


def test_a_bug_that_a_verb_meets_is_answered_and_the_vault_lives(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = listen(Peer("page", {"odd": OurBug(), "status": lambda _: Message()}), tmp_path, rig.vault.loop)
    link = Link.connect(tmp_path / "page.sock")
    answers: list[Message | DoorbellError] = []
    for verb in ("odd", "status"):
        link.call_async(verb, {}, answers.append)
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if len(answers) == 2:
            break
    odd, still = answers
    assert isinstance(odd, TroubleError)
    assert odd.code == "bug"
    assert isinstance(still, Message)
    assert [record.exc_info is not None for record in caplog.records if "a bug" in record.message] == [True]
    link.close()
    server.close()


def test_a_bug_that_a_late_decision_meets_is_answered(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = rig.ask_the_owner()
    raw = rig.phone.consent(rig, request_id)
    monkeypatch.setattr("agent.services.vault.decisions_desk.check_consent", OurBug())
    assert isinstance(rig.decide(request_id, raw), BugError)
    assert rig.state(request_id) == "PENDING"


def test_a_bug_that_a_message_meets_harms_no_other_message(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, bug, heard = rig.vault.arrivals, OurBug(), []

    def message(kind: object, raw: bytes) -> None:
        heard.append((kind, raw))
        if raw == b"odd":
            bug()

    monkeypatch.setattr(desk, "message", message)
    desk._waiting[AGENCY] = [b"odd", b"good"]
    rig.vault.directory.look_up(AGENCY, lambda error: desk._looked_up(AGENCY, error))
    rig.settle()
    assert heard == [("req", b"odd"), ("req", b"good")]
    assert bug.met == 1


def test_a_bug_that_a_receipt_meets_is_tried_again_and_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    with monkeypatch.context() as patch:
        patch.setattr("agent.services.vault.uploads_desk.check_receipt", OurBug())
        rig.pass_s(65)
        assert rig.state(request_id) == "HANDED_OVER"
    assert "nobody expected this" in caplog.text
    assert "upload-waits" in rig.vault.house.faults.all()
    rig.pass_s(60)
    assert rig.state(request_id) == "DELIVERED"


# ---- why something waits, for whoever is to mend it


def test_why_the_directory_cannot_be_had_is_told_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.platform.is_reachable = False
    for _ in range(3):
        rig.vault.directory.refresh(lambda _: None)
        rig.settle()
    assert caplog.text.count("The directory does not answer.") == 1
    rig.platform.is_reachable = True
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    rig.platform.is_reachable = False
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    assert caplog.text.count("The directory does not answer.") == 2


def test_a_bug_that_the_directory_meets_is_told_with_its_trace(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.platform.refresh = OurBug()  # type: ignore[method-assign]  # the fake's own
    said: list[DoorbellError | None] = []
    rig.vault.directory.refresh(said.append)
    rig.settle()
    assert [isinstance(one, TroubleError) for one in said] == [True]
    assert "nobody expected this" in caplog.text
    assert "directory" in rig.vault.house.faults.all()


def test_why_an_upload_waits_is_told_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.uplink.fails = True
    rig.pass_s(600)
    assert caplog.text.count("the upload server does not answer") == 1
    assert request_id in caplog.text


# ---- pins


def test_a_press_while_the_vault_has_too_much_to_do_is_not_lost(tmp_path: Path) -> None:
    rig = Rig(tmp_path, button="pin = 4")
    request_id = rig.ask_the_owner()
    assert rig.share(request_id) is State.CONFIRMING
    for wanted in ("GRACE", "PENDING"):  # the first press confirms, the second stops
        for _ in range(MAX_POSTED):
            rig.vault.loop.post(lambda: None)
        rig.press(4)
        time.sleep(0.1)  # the contact's thread finds no room
        for _ in range(500):
            rig.settle()
            if rig.state(request_id) == wanted:
                break
            time.sleep(0.01)
        assert rig.state(request_id) == wanted
    rig.close()


# ---- sockets


def test_one_kind_of_peer_cannot_take_every_descriptor(rig: Rig, tmp_path: Path) -> None:
    server = listen(Peer("page", {}), tmp_path, rig.vault.loop)
    links = [Link.connect(tmp_path / "page.sock") for _ in range(MAX_LINKS + 5)]
    for _ in range(200):
        if sum(link.closed for link in links) == 5:
            break
        time.sleep(0.01)
    assert sum(link.closed for link in links) == 5
    for link in links:
        link.close()
    rig.settle()
    server.close()


def test_a_server_that_had_no_descriptor_for_a_while_listens_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted: list[socket.socket] = []
    accept, fails = socket.socket.accept, [OSError(24, "Too many open files")] * 2

    def sometimes(self: socket.socket) -> object:
        if fails:
            raise fails.pop()
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", sometimes)
    server = Server(tmp_path / "s.sock", accepted.append)
    link = Link.connect(tmp_path / "s.sock")
    for _ in range(300):
        if accepted:
            break
        time.sleep(0.01)
    assert len(accepted) == 1
    link.close()
    accepted[0].close()
    server.close()


def test_peers_that_found_no_thread_left_take_no_place_and_leave_the_socket_open(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(self: Link) -> Link:
        raise RuntimeError("can't start new thread")

    attached: list[Link] = []
    peer = Peer("page", {"status": lambda _: Message()}, attached.append, attached.remove)
    server = listen(peer, tmp_path, rig.vault.loop)
    with monkeypatch.context() as patch:
        patch.setattr(Link, "start", no_thread)
        for _ in range(MAX_LINKS + 1):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(5)
            sock.connect(str(tmp_path / "page.sock"))
            assert sock.recv(1) == b""
            sock.close()
    rig.settle()
    assert attached == []
    link = Link.connect(tmp_path / "page.sock")
    answers: list[Message | DoorbellError] = []
    link.call_async("status", {}, answers.append)
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if answers:
            break
    assert isinstance(answers[0], Message)
    link.close()
    server.close()


def test_a_path_that_is_too_long_for_a_socket_is_a_plain_line(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with pytest.raises(TroubleError, match="too long"):
        Server(folder / "console.sock", socket.socket.close)
