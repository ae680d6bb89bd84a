"""The power goes at every system call of a segment write, an indexing, a decision, a retention pass, a migration.

After each cut, whatever survived of the not yet durable: the vault starts by itself, every row that was
committed is there, every file is whole or gone, folder and index are equal, and nothing is unexplained.
"""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.buffer import sqlite_eviction, sqlite_store
from agent.buffer.segment_files import SegmentFolder
from agent.consent import sqlite_log
from agent.core.ids import Id
from agent.core.strict_json import parse
from agent.services.vault.database import Database
from agent.services.vault.keys import load_keys
from agent.services.vault.service import Vault
from tests.buffer.power_cut_workload import WORKLOADS
from tests.fakes.clock import FakeClock
from tests.fakes.platform import FakePlatform
from tests.fakes.power_cut import Call, Disk, Survival, is_possible, trace
from tests.fakes.vault_rig import InlineExecutor, make_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_possible(), reason="strace is not installed or may not trace here"),
]


def _begin(calls: list[Call], root: Path) -> tuple[Disk, int]:
    """Follow everything up to the mark `begin`; all of it is long durable by then."""
    disk = Disk(root)
    for n, call in enumerate(calls):
        disk.apply(call)
        if disk.marks and disk.marks[-1] == "sync":
            disk.sync_all()
        if disk.marks and disk.marks[-1] == "begin":
            return disk, n + 1
    raise AssertionError("the workload left no mark")


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder where an fsync costs nothing: the cuts are made by `Disk`, not by this machine's disk."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_power_cut_at_any_system_call_loses_nothing_that_was_committed(
    tmp_path: Path, ram: Path, name: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    calls = trace("tests.buffer.power_cut_workload", [str(home), name], tmp_path / "trace")
    disk, at = _begin(calls, home)
    cuts = tried = 0
    for call in calls[at:]:
        if not disk.apply(call):
            if disk.marks[-1] == "end":
                break
            continue
        cuts += 1
        for survival in (*Survival, Survival.CHANCE, Survival.CHANCE):
            tried += 1
            folder = ram / f"cut-{tried}"
            folder.mkdir()
            disk.build(folder, survival, random.Random(tried))
            try:
                _check(folder, disk.marks, name)
            except BaseException as exc:
                exc.add_note(f"after {call.name} (cut {cuts}), surviving: {survival.value}; {folder}")
                raise
            shutil.rmtree(folder)
    assert cuts >= 15, "the trace is empty"
    assert disk.marks[-1] == "end"


def _check(folder: Path, marks: list[str], name: str) -> None:
    """Start on what was found, and hold it against what had been promised before the cut."""
    config = make_config(folder)
    state = config.device.state_dir
    if name == "migration":
        with closing(Database(state / "vault" / "other.db")) as db:
            assert db.tx.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert sqlite_eviction.totals(db.tx) == (0, 0)
    clock = FakeClock()
    vault = Vault(
        config, clock, load_keys(state / "vault" / "keys"), FakePlatform(1_800_000_000), InlineExecutor()
    )
    with closing(vault):
        vault.store.repair()
        assert "segments-quarantined" not in vault.house.faults.all(), "a power cut is no mystery"
        assert not list((state / "quarantine").glob("*"))
        tx = vault.db.tx
        assert tx.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with SegmentFolder(state / "segments") as store:
            complete = store.scan().complete
            assert sorted(one for one, _ in sqlite_store.ids(tx)) == sorted(complete)
            for one in complete:
                store.check(one)
        assert sqlite_eviction.leaving(tx) == []
        _check_log(tx)
        _check_marks(tx, marks)
        vault.decisions.start()
        vault.requests.start()


def _check_log(tx: sqlite3.Connection) -> None:
    """Entries are numbered without a gap, and those of held segments are there."""
    rows = tx.execute("SELECT n, entry FROM log ORDER BY n").fetchall()
    assert [n for n, _ in rows] == list(range(len(rows)))
    entries = dict(rows)
    for one, _ in sqlite_store.ids(tx):
        stored = sqlite_store.segment(tx, one)
        assert stored is not None
        entry = parse(entries[stored.i], max_bytes=10_000)
        assert isinstance(entry, dict)
        assert (entry["t"], entry["id"], entry["sha256"]) == ("segment", one, stored.sha256)
    assert sqlite_log.MIGRATIONS


def _check_marks(tx: sqlite3.Connection, marks: list[str]) -> None:
    going = {mark.split()[1] for mark in marks if mark.startswith("going ")}
    states: dict[str, str] = {}
    for mark in marks:
        kind, *words = mark.split()
        if kind == "segment" and words[0] not in going:
            assert sqlite_store.segment(tx, Id(words[0])) is not None
        elif kind == "evicted":
            assert sqlite_store.segment(tx, Id(words[0])) is None
        elif kind == "state":
            states[words[0]] = words[1]
    for request, state in states.items():
        row = tx.execute("SELECT state FROM requests WHERE id = ?", (request,)).fetchone()
        assert row is not None
        order = ["PENDING", "GRACE", "DECLINED"]
        assert order.index(row[0]) in (order.index(state), order.index(state) + 1)
