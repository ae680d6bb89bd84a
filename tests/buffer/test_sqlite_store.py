"""The index: what overlaps, what is listed, what is mapped, against slow oracles; migrations; eviction."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.buffer import sqlite_eviction, sqlite_store, sqlite_tables
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id, Kid, new_id
from agent.core.segment_file import SegmentMeta
from tests.fakes.buffer_store import BOOT, KID, index, meta, sidecar

OTHER = Kid("c" * 16)


@pytest.fixture
def tx() -> Iterator[sqlite3.Connection]:
    db = index()
    db.execute("BEGIN")
    yield db
    db.close()


def _add(tx: sqlite3.Connection, log_n: int, **changes: object) -> SegmentMeta:
    one = meta(**changes)
    sqlite_store.add_segment(tx, one, sidecar(one), log_n)
    return one


SPANS = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 300), st.sampled_from(["synced", "unsynced", "suspect"])),
    max_size=30,
)


@given(spans=SPANS, from_ms=st.integers(-10, 1100), length_ms=st.integers(0, 400), offset_ms=st.integers(-50, 900))
@settings(max_examples=150, deadline=None)
def test_what_overlaps_a_window_is_exactly_what_a_plain_search_finds(
    spans: list[tuple[int, int, str]], from_ms: int, length_ms: int, offset_ms: int
) -> None:
    tx = index()
    placed = []
    for n, (start_ms, size_ms, clock) in enumerate(spans):
        one = _add(tx, n, start_ms=start_ms, end_ms=start_ms + size_ms, mono_ms=start_ms + 7, clock=clock)
        at_ms = start_ms if clock == "synced" else start_ms + 7 + offset_ms
        placed.append((at_ms, at_ms + size_ms, one.id, clock))
    for clocks in ({"synced"}, {"synced", "unsynced"}):
        to_ms = from_ms + length_ms
        expected = {id_ for at, until, id_, clock in placed if clock in clocks and at < to_ms and until > from_ms}
        found = sqlite_store.overlap(tx, from_ms, to_ms)
        assert {one.id for one in found} == expected
        assert sorted(one.i for one in found) == sorted(sqlite_store.overlapping(tx, from_ms, to_ms))
        assert [one.at_ms for one in found] == sorted(one.at_ms for one in found)
        sqlite_store.put_mapping(tx, BOOT, offset_ms, 999)
    tx.close()


CLIPS = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 6)), max_size=12)


@given(clips=CLIPS, before_ms=st.integers(0, 500), limit=st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_the_newest_clips_are_listed_even_where_a_step_of_the_clock_made_them_overlap(
    clips: list[tuple[int, int]], before_ms: int, limit: int
) -> None:
    tx = index()
    log_n = 0
    starts = {}
    for start_ms, count in clips:
        clip = new_id()
        starts[clip] = start_ms
        for n in range(count):
            _add(tx, log_n, clip=clip, n=n, start_ms=start_ms + 40 * n, end_ms=start_ms + 40 * n + 40)
            log_n += 1
    found = sqlite_store.clips(tx, before_ms, limit)
    expected = sorted((start for start in starts.values() if start < before_ms), reverse=True)[:limit]
    assert [one.start_ms for one in found] == expected
    assert all(starts[one.clip] == one.start_ms for one in found)
    for one in found:
        assert [segment.n for segment in one.segments] == list(range(len(one.segments)))
        assert one.end_ms == one.start_ms + 40 * len(one.segments)
    tx.close()


def test_what_went_in_comes_out(tx: sqlite3.Connection) -> None:
    one = meta(clip=new_id(), n=3, trigger="press")
    beside = sidecar(one, size=1234)
    sqlite_store.add_segment(tx, one, beside, 17)
    stored = sqlite_store.segment(tx, one.id)
    assert stored is not None
    for name in ("id", "clip", "n", "start_ms", "end_ms", "clock", "boot", "mono_ms", "trigger"):
        assert getattr(stored, name) == getattr(one, name)
    for name in ("bytes", "sha256", "sha256_plain"):
        assert getattr(stored, name) == getattr(beside, name)
    assert (stored.i, stored.placed, stored.mapped_by) == (17, True, None)
    assert sqlite_store.clip(tx, one.clip) == [stored]
    assert list(sqlite_store.ids(tx)) == [(one.id, 1234)]


def test_a_segment_is_indexed_once(tx: sqlite3.Connection) -> None:
    one = _add(tx, 1)
    with pytest.raises(RefusedError):
        sqlite_store.add_segment(tx, one, sidecar(one), 2)


def test_a_segment_that_claims_to_last_for_ever_is_refused(tx: sqlite3.Connection) -> None:
    with pytest.raises(RefusedError):
        _add(tx, 1, end_ms=1_800_000_000_001 + sqlite_store.MAX_SEGMENT_MS)


def test_an_unsynced_segment_matches_nothing_until_its_boot_is_mapped(tx: sqlite3.Connection) -> None:
    one = _add(tx, 1, clock="unsynced", start_ms=5_000, end_ms=9_000, mono_ms=60_000)
    other = _add(tx, 2, clock="unsynced", boot=Id("e" * 32), start_ms=5_000, end_ms=9_000, mono_ms=60_000)
    assert sqlite_store.overlapping(tx, 0, 10**13) == []
    assert sqlite_store.put_mapping(tx, BOOT, 1_000_000, 7) == 1
    (found,) = sqlite_store.overlap(tx, 0, 10**13)
    assert (found.id, found.at_ms, found.until_ms, found.mapped_by) == (one.id, 1_060_000, 1_064_000, 7)
    assert (found.start_ms, found.end_ms, found.clock) == (5_000, 9_000, "unsynced")
    stored = sqlite_store.segment(tx, other.id)
    assert stored is not None
    assert not stored.placed


def test_an_unsynced_segment_that_comes_after_the_mapping_is_placed_at_once(tx: sqlite3.Connection) -> None:
    sqlite_store.put_mapping(tx, BOOT, 1_000_000, 7)
    _add(tx, 8, clock="unsynced", start_ms=5_000, end_ms=9_000, mono_ms=60_000)
    assert [one.at_ms for one in sqlite_store.overlap(tx, 0, 10**13)] == [1_060_000]


def test_a_suspect_segment_is_mapped_by_nothing_and_matches_nothing(tx: sqlite3.Connection) -> None:
    sqlite_store.put_mapping(tx, BOOT, 1_000_000, 7)
    one = _add(tx, 8, clock="suspect", mono_ms=60_000)
    assert sqlite_store.put_mapping(tx, BOOT, 2_000_000, 9) == 0
    assert sqlite_store.overlapping(tx, 0, 10**14) == []
    stored = sqlite_store.segment(tx, one.id)
    assert stored is not None
    assert (stored.at_ms, stored.placed, stored.mapped_by) == (one.start_ms, False, None)


def test_a_synced_segment_is_never_moved_by_a_mapping(tx: sqlite3.Connection) -> None:
    one = _add(tx, 1)
    sqlite_store.put_mapping(tx, BOOT, 5, 2)
    stored = sqlite_store.segment(tx, one.id)
    assert stored is not None
    assert stored.at_ms == one.start_ms


def test_stanzas_are_paged_by_place_for_one_recipient(tx: sqlite3.Connection) -> None:
    ids = []
    for n in range(5):
        one = meta()
        sqlite_store.add_segment(tx, one, sidecar(one, kids=(KID, OTHER) if n != 2 else (OTHER,)), n * 10)
        ids.append(one.id)
    page = sqlite_store.stanzas(tx, KID, 0, 2)
    assert [(i, id_) for i, id_, _ in page] == [(10, ids[1]), (30, ids[3])]
    assert sqlite_store.stanzas(tx, KID, 30, 9)[0][:2] == (40, ids[4])
    assert sqlite_store.stanza(tx, KID, 20) is None
    assert sqlite_store.stanza(tx, OTHER, 20) == OTHER.encode() * 4


def test_a_stanza_is_handed_on_only_where_none_is_held(tx: sqlite3.Connection) -> None:
    one = _add(tx, 1)
    assert sqlite_store.put_stanza(tx, OTHER, one.id, b"1" * 64)
    assert not sqlite_store.put_stanza(tx, OTHER, one.id, b"2" * 64)
    assert not sqlite_store.put_stanza(tx, KID, one.id, b"2" * 64)
    assert not sqlite_store.put_stanza(tx, OTHER, new_id(), b"2" * 64)
    assert sqlite_store.stanza(tx, OTHER, 1) == b"1" * 64
    assert sqlite_store.forget_recipient(tx, OTHER) == 1
    assert sqlite_store.stanza(tx, OTHER, 1) is None


def test_what_is_evicted_leaves_index_stanzas_and_pins_and_stays_named_until_its_files_are_gone(
    tx: sqlite3.Connection,
) -> None:
    one, two = _add(tx, 4), _add(tx, 9)
    sqlite_eviction.pin(tx, [one.id], "keep")
    assert sqlite_eviction.evict(tx, [one.id, new_id()]) == [4]
    assert sqlite_store.segment(tx, one.id) is None
    assert sqlite_store.stanza(tx, KID, 4) is None
    assert [held.id for held in sqlite_eviction.oldest(tx)] == [two.id]
    assert sqlite_eviction.totals(tx) == (1, 1000)
    assert sqlite_eviction.leaving(tx) == [one.id]
    sqlite_eviction.left(tx, [one.id])
    assert sqlite_eviction.leaving(tx) == []


def test_a_pin_names_its_reason_and_goes_with_it(tx: sqlite3.Connection) -> None:
    one, two = _add(tx, 1), _add(tx, 2)
    request, other = new_id(), new_id()
    sqlite_eviction.pin(tx, [one.id, two.id, new_id()], request)
    sqlite_eviction.pin(tx, [one.id, two.id], "keep")
    sqlite_eviction.unpin_these(tx, [two.id, new_id()], "keep")
    assert [held.pinned for held in sqlite_eviction.oldest(tx)] == [True, True]
    assert sqlite_eviction.unpin(tx, other) == 0
    assert sqlite_eviction.unpin(tx, request) == 2
    assert [held.pinned for held in sqlite_eviction.oldest(tx)] == [True, False]
    assert sqlite_eviction.is_pinned(tx, one.id)
    assert not sqlite_eviction.is_pinned(tx, two.id)


def test_retention_is_told_no_time_for_what_has_none(tx: sqlite3.Connection) -> None:
    _add(tx, 1, clock="unsynced")
    one = _add(tx, 2)
    assert [held.until_ms for held in sqlite_eviction.oldest(tx)] == [None, one.end_ms]


def test_evicted_stanzas_are_overwritten_on_the_disk(tmp_path: object) -> None:
    path = f"{tmp_path}/vault.db"
    db = index(path)
    one = meta()
    beside = sidecar(one, kids=(Kid("5ec7e75a17a5ec7e"),))
    with db:
        sqlite_store.add_segment(db, one, beside, 1)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path, "rb") as file:  # noqa: PTH123 - the path came as text for sqlite
        assert b"5ec7e75a17a5ec7e" * 4 in file.read()
    with db:
        sqlite_eviction.evict(db, [one.id])
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path, "rb") as file:  # noqa: PTH123 - same
        assert b"5ec7e75a17a5ec7e" not in file.read()
    db.close()


@pytest.mark.parametrize("version", range(len(sqlite_tables.MIGRATIONS)))
def test_every_older_version_is_brought_to_the_newest(version: int) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE buffer_version (version INTEGER NOT NULL) STRICT")
    db.execute("INSERT INTO buffer_version VALUES (?)", (version,))
    for statement in (one for migration in sqlite_tables.MIGRATIONS[:version] for one in migration):
        db.execute(statement)
    assert sqlite_tables.migrate(db) == len(sqlite_tables.MIGRATIONS)
    _add(db, 1)
    assert len(sqlite_store.overlap(db, 0, 10**14)) == 1
    db.close()


def test_migrating_again_changes_nothing_and_a_newer_database_is_not_touched() -> None:
    db = index()
    _add(db, 1)
    assert sqlite_tables.migrate(db) == len(sqlite_tables.MIGRATIONS)
    assert sqlite_eviction.totals(db)[0] == 1
    db.execute("UPDATE buffer_version SET version = 99")
    with pytest.raises(TroubleError, match="install the newer one"):
        sqlite_tables.migrate(db)
    db.close()


def test_an_overlap_costs_the_same_at_any_size_of_the_index() -> None:
    db = index()
    plan = " ".join(
        str(row[3])
        for row in db.execute(
            "EXPLAIN QUERY PLAN SELECT i FROM segments INDEXED BY segments_by_time"
            " WHERE at_ms >= ?1 - (SELECT ms FROM longest) AND at_ms < ?2 AND until_ms > ?1 AND placed",
            (1, 2),
        )
    )
    assert "SEARCH segments USING COVERING INDEX segments_by_time (at_ms>? AND at_ms<?)" in plan
    db.close()
