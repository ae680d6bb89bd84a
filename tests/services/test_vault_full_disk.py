"""The vault on a disk without one free byte: a real one, made of memory."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import TroubleError
from agent.core.ids import new_id
from agent.services.vault.database import RESERVE_BYTES, Database
from tests.fakes.vault_rig import Rig

DISK_BYTES = 48 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    """Take every free byte."""
    path = folder / "somebody-elses"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


def _settings_until_it_is_full(rig: Rig) -> str:
    """Write small things until there is no room left in the write-ahead log; returns the fault."""
    for _ in range(400):
        try:
            rig.vault.phones.change_settings({"alerts": True})
        except TroubleError as full:
            return full.code
    return ""


def test_the_oldest_clips_go_even_when_no_byte_is_free(disk: Path) -> None:
    rig = Rig(disk)
    rig.vault.hourly()
    names = [new_id() for _ in range(5)]
    clips = [rig.record(clip=name) for name in names]
    _fill(disk)
    assert _settings_until_it_is_full(rig) == "storage-full"
    assert not (rig.config.device.state_dir / "vault" / "vault.reserve").exists()
    rig.vault.store.delete_clip(names[0])
    left = [one for one in clips if (rig.config.device.state_dir / "segments" / f"{one}.seg").exists()]
    assert left == clips[1:]
    rig.close()


def test_the_vault_starts_again_on_a_disk_that_was_full_to_the_last_byte(disk: Path) -> None:
    rig = Rig(disk)
    rig.vault.hourly()
    rig.record()
    path = rig.config.device.state_dir / "vault" / "vault.db"
    rig.close()
    _fill(disk)
    for start in range(3):  # as its supervisor would
        try:
            database = Database(path)
            database.close()
            break
        except TroubleError:
            assert start < 2, "it does not start"
    rig.start()
    assert rig.vault.answers.status()["storage"]
    rig.close()


def test_a_reserve_is_set_aside_whole_or_not_at_all(disk: Path) -> None:
    database = Database(disk / "v.db")
    database.keep_reserve()
    assert (disk / "v.reserve").stat().st_size == RESERVE_BYTES
    (disk / "v.reserve").write_bytes(b"")  # as a power cut leaves it
    database.keep_reserve()
    assert (disk / "v.reserve").stat().st_size == RESERVE_BYTES
    (disk / "v.reserve").unlink()
    filler = _fill(disk)
    database.keep_reserve()
    assert not (disk / "v.reserve").exists()
    filler.unlink()
    database.close()
