"""The index: overlap at 10^3 and 10^6 segments against numpy searchsorted; durable insert against a bare fsync.

All sides run in the same rounds, in turn; the figures are medians of the rounds' ratios.
Run: python -m benchmarks.index_query
"""

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agent.buffer import sqlite_store, sqlite_tables
from agent.buffer.sidecar import Sidecar, Stanza
from agent.core.ids import Id, Kid, new_id, sha256_hex
from agent.core.segment_file import SegmentMeta

ROUNDS, QUERIES, INSERTS = 41, 200, 40
LENGTH_MS, EVERY_MS = 4_000, 5_000
WINDOW_MS = 16_000


def add(tx: sqlite3.Connection, n: int, id_: Id) -> None:
    one = SegmentMeta(
        id=id_, clip=id_, n=0, start_ms=n * EVERY_MS, end_ms=n * EVERY_MS + LENGTH_MS, clock="synced",
        boot=Id("b" * 32), mono_ms=0, device=Kid("d" * 16), codec="avc1.42C01F", width=1280, height=720,
        trigger="motion", masked=0, dropped=0,
    )  # fmt: skip
    stanzas = tuple(Stanza(Kid(f"{k:016x}"), bytes(64)) for k in range(3))
    sha256 = sha256_hex(id_.encode())
    sidecar = Sidecar(id=id_, sha256=sha256, bytes=1_000_000, sha256_plain=sha256, stanzas=stanzas)
    sqlite_store.add_segment(tx, one, sidecar, n)


def database(path: Path, count: int) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in sqlite_tables.PRAGMAS:
        db.execute(pragma)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    sqlite_tables.migrate(db)
    rng = np.random.default_rng(1)
    for n in range(count):
        add(db, n, Id(rng.bytes(16).hex()))
    db.execute("COMMIT")
    db.execute("PRAGMA synchronous = FULL")
    return db


def timed_us(run: Callable[[], object], times: int) -> float:
    begin = time.perf_counter_ns()
    for _ in range(times):
        run()
    return (time.perf_counter_ns() - begin) / 1000 / times


class Windows:
    """The same windows, again and again, about four hits each."""

    def __init__(self, count: int) -> None:
        rng = np.random.default_rng(2)
        self._starts = [int(one) for one in rng.integers(0, max(1, count - 10) * EVERY_MS, QUERIES)]
        self._at = 0

    def next(self) -> tuple[int, int]:
        """Return the next window."""
        self._at = (self._at + 1) % QUERIES
        return self._starts[self._at], self._starts[self._at] + WINDOW_MS


def queries(folder: Path) -> None:
    small, large = database(folder / "small.db", 1_000), database(folder / "large.db", 1_000_000)
    starts = np.arange(1_000_000, dtype=np.int64) * EVERY_MS
    ends = starts + LENGTH_MS
    few, many, again = Windows(1_000), Windows(1_000_000), Windows(1_000_000)

    def search() -> list[int]:
        from_ms, to_ms = again.next()
        low, high = np.searchsorted(starts, (from_ms - LENGTH_MS, to_ms))
        hits: list[int] = (np.flatnonzero(ends[low:high] > from_ms) + low).tolist()
        return hits

    assert [search() for _ in range(QUERIES)] == [
        sqlite_store.overlapping(large, *window) for window in (many.next() for _ in range(QUERIES))
    ]
    rounds = [
        (
            timed_us(lambda: sqlite_store.overlapping(large, *many.next()), QUERIES),
            timed_us(lambda: sqlite_store.overlapping(small, *few.next()), QUERIES),
            timed_us(search, QUERIES),
            timed_us(lambda: sqlite_store.overlap(large, *many.next()), QUERIES),
        )
        for _ in range(ROUNDS)
    ]
    names = ("overlap, 10^6", "overlap, 10^3", "numpy searchsorted, 10^6", "overlap with whole rows, 10^6")
    for name, column in zip(names, zip(*rounds, strict=True), strict=True):
        print(f"{name:30} {statistics.median(column):7.2f} us")
    print(f"10^6 / numpy  {statistics.median(a / c for a, _, c, _ in rounds):.2f}  (limit 2)")
    print(f"10^6 / 10^3   {statistics.median(a / b for a, b, _, _ in rounds):.2f}  (limit 2)")
    size = (folder / "large.db").stat().st_size / 1_000_000
    print(f"{size:.0f} bytes a segment with three stanzas")
    small.close()
    large.close()


def inserts(folder: Path) -> None:
    db = database(folder / "insert.db", 10_000)
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    n = 10_000
    text = bytes(128)

    def insert() -> None:
        nonlocal n
        n += 1
        db.execute("BEGIN IMMEDIATE")
        add(db, n, new_id())
        db.execute("COMMIT")

    def append() -> None:
        os.write(bare, text)
        os.fsync(bare)

    rounds = [(timed_us(insert, INSERTS), timed_us(append, INSERTS)) for _ in range(ROUNDS)]
    print(f"durable insert {statistics.median(a for a, _ in rounds):.0f} us, bare append and fsync "
          f"{statistics.median(b for _, b in rounds):.0f} us")  # fmt: skip
    print(f"insert / bare fsync  {statistics.median(a / b for a, b in rounds):.2f}  (limit 1.5)")
    os.close(bare)
    db.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        queries(Path(name))
        inserts(Path(name))


if __name__ == "__main__":
    main()
