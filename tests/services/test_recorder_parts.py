"""The recorder's parts: recipients, link, writer, hot loop, systemd's socket."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.segment import Cutter, Segment
from agent.buffer.segment_files import SegmentFolder
from agent.buffer.sidecar import Sidecar
from agent.capture import source
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, new_id
from agent.core.seal import open_cek, stanza_info
from agent.core.segment_file import SegmentMeta, join_mp4, open_segment
from agent.services import sd_notify
from agent.services.recipients_file import RecipientsFile, parse_recipients
from agent.services.recorder_link import VaultLink
from agent.services.segment_writer import SegmentWriter
from tests.buffer.test_mux_pyav import decoded_times
from tests.fakes.buffer_film import FRAME_NS, film, stream_info
from tests.fakes.buffer_store import DEVICE
from tests.fakes.clock import FakeClock
from tests.fakes.recorder_vault import FakeVault, wait_for, write_recipients

KEY = X25519PrivateKey.generate()
S = 1_000_000_000


@pytest.fixture
def recipients(tmp_path: Path) -> RecipientsFile:
    write_recipients(tmp_path / "recipients.json", [(KEY, "recovery")])
    made = RecipientsFile(tmp_path / "recipients.json")
    made.poll()
    return made


# ---- recipients.json


def test_recipients_are_read_again_when_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "recipients.json"
    found = RecipientsFile(path)
    found.poll()
    enough = [found.current and found.current.is_enough]
    for keys in ([(KEY, "button")], [(KEY, "button"), (X25519PrivateKey.generate(), "phone")]):
        write_recipients(path, keys)
        found.poll()
        enough.append(found.current and found.current.is_enough)
    assert enough == [None, False, True], "the button alone is no recipient"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'{"v":2}', b"x" * 70_000], ids=len)
def test_a_torn_recipients_file_changes_nothing(
    tmp_path: Path, recipients: RecipientsFile, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    good = recipients.current
    (tmp_path / "recipients.json").write_bytes(raw)
    recipients.poll()
    recipients.poll()
    assert recipients.current is good
    assert caplog.text.count("keeping the last good one") == 1


def test_recipients_that_could_not_be_read_for_a_moment_are_read_at_the_next_look(
    tmp_path: Path, recipients: RecipientsFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(24, "Too many open files")

    write_recipients(tmp_path / "recipients.json", [(KEY, "phone")])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        recipients.poll()
        recipients.poll()
    assert recipients.current is not None
    assert [one.kind for one in recipients.current.recipients] == ["recovery"]
    assert caplog.text.count("keeping the last good one") == 1
    recipients.poll()
    assert [one.kind for one in recipients.current.recipients] == ["phone"]


def test_a_vanished_recipients_file_changes_nothing(tmp_path: Path, recipients: RecipientsFile) -> None:
    (tmp_path / "recipients.json").unlink()
    recipients.poll()
    assert recipients.current is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"recovery"', '"agency"'),
        ('"floor_s": 0', '"floor_s": -1'),
        ('"suspect": false', '"suspect": 0'),
        ('"pub": "', '"pub": "A'),
        ('"kid": "', '"kid": "0'),
        (f'"{DEVICE}"', '"x"'),
    ],
)
def test_odd_recipients_are_refused(tmp_path: Path, old: str, new: str) -> None:
    write_recipients(tmp_path / "r.json", [(KEY, "recovery")])
    raw = (tmp_path / "r.json").read_text()
    assert old in raw
    with pytest.raises(RefusedError):
        parse_recipients(raw.replace(old, new, 1).encode())


def test_a_weak_key_is_no_recipient(tmp_path: Path) -> None:
    write_recipients(tmp_path / "r.json", [(KEY, "recovery")])
    raw = (tmp_path / "r.json").read_bytes()
    pub = raw[raw.index(b'"pub": "') + 8 :][:44]
    with pytest.raises(RefusedError):
        parse_recipients(raw.replace(pub, b"A" * 43 + b"="))


def test_utc_is_trusted_only_when_synchronised_not_before_the_floor_and_not_suspect(tmp_path: Path) -> None:
    write_recipients(tmp_path / "r.json", [], floor_s=1000)
    found = parse_recipients((tmp_path / "r.json").read_bytes())
    assert found.trust(1_000_000, synchronised=True) == "synced"
    assert found.trust(999_999, synchronised=True) == "unsynced"
    assert found.trust(1_000_000, synchronised=False) == "unsynced"
    assert replace(found, suspect=True).trust(1_000_000, synchronised=True) == "suspect"


# ---- the writer


class Writers:
    """Makes writers and stops them."""

    def __init__(self, path: Path, recipients: RecipientsFile, clock: FakeClock) -> None:
        self.sealed: list[Id] = []
        self.folder = path
        self.writer = SegmentWriter(path, recipients, clock, self.sealed.append)
        self.writer.start()

    def wait(self, count: int) -> None:
        """Wait until that many segments were sealed."""
        wait_for(lambda: len(self.sealed) == count)

    def open(self) -> list[tuple[SegmentMeta, bytes]]:
        """Open everything that was written, in order."""
        found = []
        with SegmentFolder(self.folder) as folder:
            for id_ in self.sealed:
                _, sidecar = folder.check(id_)
                stanza = sidecar.stanzas[0]
                cek = open_cek(KEY, stanza.stanza, stanza_info(id_, stanza.kid))
                found.append(open_segment(folder.read(id_), cek))
        return found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def writers(tmp_path: Path, recipients: RecipientsFile, clock: FakeClock) -> Iterator[Writers]:
    made = Writers(tmp_path / "segments", recipients, clock)
    yield made
    assert made.writer.close(20)


def _segments(count: int, *, first_clip: int = 1, frames: int = 20) -> tuple[source.StreamInfo, list[Segment]]:
    extradata, packets = film([5 * S + n * FRAME_NS for n in range(frames * count)], gop=frames)
    cutter = Cutter(segment_ns=S, frame_ns=FRAME_NS)
    cutter._clip = first_clip - 1
    return stream_info(extradata), cutter.start("motion", packets) + cutter.close()


def test_segments_are_muxed_sealed_written_and_told(writers: Writers, clock: FakeClock) -> None:
    info, segments = _segments(3)
    for one in segments:
        writers.writer.offer(one, info)
    writers.wait(3)
    opened = writers.open()
    metas = [meta for meta, _ in opened]
    offset_ms = clock.utc_ms() - clock.boot_ns() // 1_000_000
    assert [one.n for one in metas] == [0, 1, 2]
    assert [one.start_ms for one in metas] == [offset_ms + 5_000 + n * 2_000 for n in range(3)]
    assert [one.mono_ms for one in metas] == [5_000, 7_000, 9_000]
    assert all(a.end_ms == b.start_ms for a, b in pairwise(metas))
    assert len({one.clip for one in metas}) == 1
    assert {one.device for one in metas} == {DEVICE}
    assert decoded_times(join_mp4([mp4 for _, mp4 in opened])) == [n * 9_000 for n in range(60)]
    assert writers.writer.backlog_bytes == 0


def test_a_step_of_the_clock_inside_a_clip_neither_parts_nor_doubles_its_segments(
    writers: Writers, clock: FakeClock
) -> None:
    info, segments = _segments(3)
    for n, one in enumerate(segments):
        writers.writer.offer(one, info)
        writers.wait(n + 1)
        clock.jump_s(90 * 86_400 * (-1) ** n)
    metas = [meta for meta, _ in writers.open()]
    assert all(a.end_ms == b.start_ms for a, b in pairwise(metas))
    info, segments = _segments(1, first_clip=2)
    writers.writer.offer(segments[0], info)
    writers.wait(4)
    assert writers.open()[3][0].start_ms - metas[0].start_ms == 90 * 86_400_000, "the next clip is mapped anew"


def test_while_the_disk_is_full_segments_wait_in_ram_and_are_written_when_there_is_room(
    writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SegmentFolder.write_proving
    full = threading.Event()
    full.set()

    def write(self: SegmentFolder, id_: Id, file: memoryview, prove: Callable[[], Sidecar]) -> Sidecar:
        if full.is_set():
            raise TroubleError("storage-full", "no room")
        return real(self, id_, file, prove)

    monkeypatch.setattr(SegmentFolder, "write_proving", write)
    info, segments = _segments(2)
    for one in segments:
        writers.writer.offer(one, info)
    wait_for(lambda: writers.writer.fault == "storage-full")
    assert writers.writer.backlog_bytes == sum(one.bytes for one in segments)
    full.clear()
    writers.wait(2)
    wait_for(lambda: writers.writer.backlog_bytes == 0)
    assert writers.writer.fault is None
    assert writers.writer.dropped_frames == 0
    assert [meta.n for meta, _ in writers.open()] == [0, 1]


def test_without_a_recipient_nothing_is_written(tmp_path: Path, clock: FakeClock) -> None:
    write_recipients(tmp_path / "r.json", [(KEY, "button")])
    recipients = RecipientsFile(tmp_path / "r.json")
    recipients.poll()
    writers = Writers(tmp_path / "segments", recipients, clock)
    info, segments = _segments(1)
    writers.writer.offer(segments[0], info)
    assert writers.writer.close(20)
    assert writers.sealed == []
    assert writers.writer.dropped_frames == 20


def test_a_writer_that_is_told_to_stop_writes_what_waits(
    tmp_path: Path, recipients: RecipientsFile, clock: FakeClock
) -> None:
    writers = Writers(tmp_path / "segments", recipients, clock)
    info, segments = _segments(3)
    for one in segments:
        writers.writer.offer(one, info)
    assert writers.writer.close(20)
    assert len(writers.sealed) == 3


def test_a_half_written_segment_of_the_last_run_is_swept_out(
    tmp_path: Path, recipients: RecipientsFile, clock: FakeClock
) -> None:
    folder = tmp_path / "segments"
    folder.mkdir()
    (folder / f"{new_id()}.seg.tmp").write_bytes(b"half")
    writers = Writers(folder, recipients, clock)
    info, segments = _segments(1)
    writers.writer.offer(segments[0], info)
    assert writers.writer.close(20)
    assert not list(folder.glob("*.tmp"))


# ---- the link


@pytest.fixture
def presses() -> list[bool]:
    return []


def _status() -> dict[str, object]:
    return {"recording": True, "faults": [], "dropped": 0, "fps_milli": 15_000, "motion": {}}


@pytest.fixture
def link(tmp_path: Path, clock: FakeClock, presses: list[bool]) -> Iterator[VaultLink]:
    made = VaultLink(tmp_path / "r.sock", clock, _status, lambda: presses.append(True))  # type: ignore[arg-type]  # plain JSON
    yield made
    made.close(20)


def test_the_vault_hears_hello_what_was_sealed_and_the_status(
    tmp_path: Path, link: VaultLink, clock: FakeClock
) -> None:
    vault = FakeVault(tmp_path / "r.sock")
    before, after = new_id(), new_id()
    link.start([before])
    wait_for(lambda: vault.said("status"))
    link.sealed(after)
    wait_for(lambda: len(vault.said("sealed")) == 2)
    assert vault.calls[0] == ("hello", {"boot": clock.boot_id()})
    assert vault.said("sealed") == [{"id": before}, {"id": after}]
    assert vault.said("status")[0]["recording"] is True
    vault.close()


def test_what_was_sealed_while_the_vault_was_away_is_told_when_it_is_back(tmp_path: Path, link: VaultLink) -> None:
    link.start()
    ids = [new_id() for _ in range(5)]
    for one in ids:
        link.sealed(one)
    vault = FakeVault(tmp_path / "r.sock")
    wait_for(lambda: len(vault.said("sealed")) == 5)
    vault.drop()
    more = new_id()
    link.sealed(more)
    wait_for(lambda: len(vault.said("sealed")) == 6)
    assert [one["id"] for one in vault.said("sealed")] == [*ids, more]
    vault.close()


def test_a_segment_that_the_vault_does_not_take_does_not_hold_up_the_next(tmp_path: Path, link: VaultLink) -> None:
    vault = FakeVault(tmp_path / "r.sock")
    bad, odd, good = new_id(), new_id(), new_id()
    vault.refuses.add(bad)
    vault.trips.add(odd)
    link.start([bad, odd, good])
    wait_for(lambda: vault.said("sealed")[-1:] == [{"id": good}])
    assert [one["id"] for one in vault.said("sealed")] == [bad, odd, good]
    vault.close()


def test_a_press_is_taken_and_no_other_order(tmp_path: Path, link: VaultLink, presses: list[bool]) -> None:
    vault = FakeVault(tmp_path / "r.sock")
    link.start()
    wait_for(lambda: vault.said("hello"))
    vault.links[0].tell("press")
    vault.links[0].call("press")
    for verb in ("record", "delete"):
        with pytest.raises(RefusedError):
            vault.links[0].call(verb)
    assert presses == [True, True]
    vault.close()


# ---- systemd


def test_systemd_is_told_on_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert sd_notify.notify("READY=1")
        assert sock.recv(100) == b"READY=1"
        name = f"@doorbell-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:])
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        assert sd_notify.notify("WATCHDOG=1")
        assert sock.recv(100) == b"WATCHDOG=1"


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not sd_notify.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    assert not sd_notify.notify("READY=1")


@pytest.mark.parametrize(("flags", "ring"), [([], "Ring"), (["-X", "dev"], "CheckedRing")])
def test_in_pythons_development_mode_the_rings_invariants_are_asserted_on_every_push(
    flags: list[str], ring: str
) -> None:
    program = "from agent.services import recorder; print(recorder._RING.__name__)"
    done = subprocess.run(
        [sys.executable, *flags, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ring
