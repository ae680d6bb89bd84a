"""The folder of segments: durable, whole or not at all, in three fsyncs."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.names import names_of
from agent.buffer.segment_files import SegmentFolder
from agent.buffer.sidecar import Sidecar
from agent.core.errors import BugError, RefusedError, TroubleError
from agent.core.ids import Id, new_id
from tests.fakes.buffer_store import meta, sealed

KEY = X25519PrivateKey.generate()


def _write(folder: SegmentFolder, film: bytes = b"film") -> Id:
    one = meta()
    folder.write(*sealed(one, film, KEY))
    return one.id


def test_a_written_segment_is_found_read_and_checked(tmp_path: Path) -> None:
    with SegmentFolder(tmp_path) as folder:
        id_ = _write(folder)
        assert folder.scan().complete == (id_,)
        found, beside = folder.check(id_)
        assert (found.id, beside.id, folder.size(id_)) == (id_, id_, beside.bytes)
        fd = folder.open_readonly(id_)
        try:
            assert os.fstat(fd).st_size == beside.bytes
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(fd, b"x")
        finally:
            os.close(fd)


def test_a_segment_takes_three_fsyncs_and_leaves_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SegmentFolder(tmp_path) as folder:
        calls: list[int] = []
        fsync = os.fsync

        def counted(fd: int) -> None:
            calls.append(fd)
            fsync(fd)

        monkeypatch.setattr(os, "fsync", counted)
        before = len(list(Path("/proc/self/fd").iterdir()))
        _write(folder)
        assert len(calls) == 3
        assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename"])
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "storage-full"), (errno.EDQUOT, "storage-full"), (errno.EIO, "storage-failed")],
)
def test_trouble_of_the_disk_is_told_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, at: int, number: int, code: str
) -> None:
    with SegmentFolder(tmp_path) as folder:
        real: Callable[..., object] = getattr(os, call)
        count = iter(range(100))

        def broken(*args: object, **kwargs: object) -> object:
            if next(count) == at:
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        monkeypatch.setattr(os, call, broken)
        with pytest.raises(TroubleError) as caught:
            _write(folder)
        monkeypatch.undo()
        assert caught.value.code == code
        assert list(tmp_path.iterdir()) == []
        id_ = _write(folder)
        assert folder.scan().complete == (id_,)


@pytest.mark.parametrize("error", [BugError("memory has flipped a bit"), MemoryError()], ids=["bug", "memory"])
def test_whatever_a_proof_raises_leaves_nothing_behind(tmp_path: Path, error: Exception) -> None:
    def fails() -> Sidecar:
        raise error

    with SegmentFolder(tmp_path) as folder:
        with pytest.raises(type(error)):
            folder.write_proving(new_id(), b"sealed", fails)
        assert list(tmp_path.iterdir()) == []


def test_a_scan_tells_complete_half_and_foreign_apart(tmp_path: Path) -> None:
    with SegmentFolder(tmp_path) as folder:
        whole, lone_sidecar, lone_segment, torn = _write(folder), new_id(), new_id(), new_id()
        (tmp_path / f"{lone_sidecar}.json").write_bytes(b"{}")
        (tmp_path / f"{lone_segment}.seg").write_bytes(b"x")
        (tmp_path / f"{torn}.seg.tmp").write_bytes(b"x")
        (tmp_path / "holiday.jpg").write_bytes(b"x")
        (tmp_path / "x.seg.tmp").write_bytes(b"x")
        scan = folder.scan()
        assert scan.complete == (whole,)
        assert set(scan.half) == {f"{lone_sidecar}.json", f"{torn}.seg.tmp"}
        assert scan.lone == (lone_segment,)
        assert set(scan.foreign) == {"holiday.jpg", "x.seg.tmp"}
        folder.remove_half(scan.half)
        assert folder.scan().half == ()


def test_a_sidecar_that_got_its_name_while_the_folder_was_listed_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SegmentFolder(tmp_path) as folder:
        id_ = _write(folder)
        monkeypatch.setattr(os, "listdir", lambda _fd: [f"{id_}.seg"])
        assert folder.scan().complete == (id_,)


def test_a_segment_whose_sidecar_still_has_its_temporary_name_is_half(tmp_path: Path) -> None:
    with SegmentFolder(tmp_path) as folder:
        id_ = _write(folder)
        (tmp_path / f"{id_}.json").rename(tmp_path / f"{id_}.json.tmp")
        assert set(folder.scan().half) == {f"{id_}.seg", f"{id_}.json.tmp"}


def test_removed_segments_are_gone_and_removing_them_again_is_nothing(tmp_path: Path) -> None:
    with SegmentFolder(tmp_path) as folder:
        id_ = _write(folder)
        folder.remove([id_, new_id()])
        folder.remove([id_])
        assert list(tmp_path.iterdir()) == []
        assert folder.size(id_) is None
        with pytest.raises(TroubleError) as caught:
            folder.open_readonly(id_)
        assert caught.value.code == "segment-missing"


def test_quarantined_files_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "q").mkdir()
    with SegmentFolder(tmp_path / "s") as folder:
        id_ = _write(folder)
        folder.quarantine(names_of(id_), tmp_path / "q")
        assert folder.scan().complete == ()
        assert {one.name for one in (tmp_path / "q").iterdir()} == set(names_of(id_))


def test_nothing_in_the_quarantine_is_ever_overwritten(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "q").mkdir()
    long = "é" * 127  # 254 bytes
    with SegmentFolder(tmp_path / "s") as folder:
        for said in (b"first", b"second", b"third"):
            for name in ("odd", long):
                (tmp_path / "s" / name).write_bytes(said)
            folder.quarantine(["odd", long], tmp_path / "q")
    found = sorted(one.read_bytes() for one in (tmp_path / "q").iterdir())
    assert found == sorted([b"first", b"second", b"third"] * 2)
    assert {"odd", "odd.2", "odd.3", long} < {one.name for one in (tmp_path / "q").iterdir()}


def test_the_quarantines_own_names_are_made_durable_before_the_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "q").mkdir()
    (tmp_path / "s" / "odd").write_bytes(b"x")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink().name))
    with SegmentFolder(tmp_path / "s") as folder:
        folder.quarantine(["odd"], tmp_path / "q")
    assert synced == ["q", "s"]


@pytest.mark.parametrize(("ending", "at"), [(".seg", 100), (".seg", -1), (".json", 60)])
def test_one_changed_byte_is_found_by_the_check(tmp_path: Path, ending: str, at: int) -> None:
    with SegmentFolder(tmp_path) as folder:
        id_ = _write(folder)
        path = tmp_path / f"{id_}{ending}"
        raw = bytearray(path.read_bytes())
        raw[at] ^= 1
        path.write_bytes(raw)
        with pytest.raises(RefusedError):
            folder.check(id_)


def test_a_pair_under_another_name_is_refused(tmp_path: Path) -> None:
    with SegmentFolder(tmp_path) as folder:
        id_, other = _write(folder), new_id()
        for ending in (".seg", ".json"):
            (tmp_path / f"{id_}{ending}").rename(tmp_path / f"{other}{ending}")
        with pytest.raises(RefusedError):
            folder.check(other)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    with SegmentFolder(tmp_path) as folder:
        id_ = new_id()
        (tmp_path / f"{id_}.seg").symlink_to("/etc/passwd")
        with pytest.raises(TroubleError):
            folder.open_readonly(id_)


def test_a_missing_folder_is_the_worlds_trouble(tmp_path: Path) -> None:
    with pytest.raises(TroubleError) as caught:
        SegmentFolder(tmp_path / "none")
    assert caught.value.code == "storage-failed"
