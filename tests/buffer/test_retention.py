"""What has to go, against a slow oracle; and what a wrong clock can not do."""

from hypothesis import given
from hypothesis import strategies as st

from agent.buffer.reconcile import Found, reconcile
from agent.buffer.retention import DAY_MS, Held, sweep
from agent.core.ids import Id, new_id

NOW_MS = 1_800_000_000_000

HELD = st.lists(st.tuples(st.integers(1, 100), st.booleans(), st.integers(0, 60), st.booleans()), max_size=40)


def _held(rows: list[tuple[int, bool, int, bool]]) -> list[Held]:
    return [
        Held(
            i=i, id=Id(f"{i:032x}"), bytes=size, until_ms=NOW_MS - days * DAY_MS if known else None, pinned=pinned
        )
        for i, (size, pinned, days, known) in enumerate(rows)
    ]


@given(rows=HELD, max_bytes=st.integers(0, 2000), age=st.integers(1, 50), trusted=st.booleans())
def test_the_oldest_free_ones_go_until_the_rest_fits_and_never_a_pinned_one(
    rows: list[tuple[int, bool, int, bool]], max_bytes: int, age: int, *, trusted: bool
) -> None:
    held = _held(rows)
    total = sum(one.bytes for one in held)
    take = sweep(
        held, total_bytes=total, max_bytes=max_bytes, max_age_days=age, now_ms=NOW_MS if trusted else None
    )
    gone = set(take.ids)
    kept = [one for one in held if one.id not in gone]
    assert not any(one.pinned for one in held if one.id in gone)
    assert take.bytes == sum(one.bytes for one in held if one.id in gone)
    assert take.short_bytes == max(0, sum(one.bytes for one in kept) - max_bytes)
    if take.short_bytes:
        assert all(one.pinned for one in kept)
    # Nothing goes for its bytes while an older free one stays.
    free = [one for one in held if not one.pinned]
    too_old = {
        one.id for one in free if trusted and one.until_ms is not None and one.until_ms < NOW_MS - age * DAY_MS
    }
    if gone - too_old:
        last = max(one.i for one in free if one.id in gone - too_old)
        assert all(one.id in gone for one in free if one.i < last)
    if total <= max_bytes:
        assert gone <= too_old


def test_in_order_of_age_everything_too_old_goes() -> None:
    held = _held([(10, False, days, True) for days in (40, 31, 30, 29, 0)])
    take = sweep(held, total_bytes=50, max_bytes=1000, max_age_days=30, now_ms=NOW_MS)
    assert [int(one, 16) for one in take.ids] == [0, 1]


def test_an_untrusted_clock_deletes_nothing_by_age() -> None:
    held = _held([(10, False, 90, True)] * 3)
    assert sweep(held, total_bytes=30, max_bytes=1000, max_age_days=30, now_ms=None).ids == ()


def test_a_segment_of_unknown_time_is_never_too_old_and_hides_no_older_one() -> None:
    held = _held([(10, False, 90, False), (10, False, 90, True)])
    take = sweep(held, total_bytes=20, max_bytes=1000, max_age_days=30, now_ms=NOW_MS)
    assert [int(one, 16) for one in take.ids] == [1]


def test_a_full_store_is_not_swept_at_every_segment() -> None:
    held = _held([(10, False, 0, True)] * 1000)
    take = sweep(held, total_bytes=10_000, max_bytes=9_995, max_age_days=30, now_ms=NOW_MS)
    assert take.bytes >= 9_995 // 64


def test_only_as_much_is_read_as_is_needed() -> None:
    held = iter(_held([(10, False, 0, True)] * 1000))
    sweep(held, total_bytes=1, max_bytes=9, max_age_days=30, now_ms=NOW_MS)
    assert next(held).i == 1


def test_after_a_power_cut_every_difference_has_its_place() -> None:
    unindexed, evicted, lost, changed, fine = (new_id() for _ in range(5))
    found = Found(complete={unindexed: 5, evicted: 5, changed: 4, fine: 5}, half=("h",), lone={}, foreign=("f",))
    repair = reconcile(found, {lost: 5, changed: 5, fine: 5}, [evicted])
    assert repair.index == (unindexed,)
    assert repair.delete == (evicted,)
    assert repair.delete_names == ("h",)
    assert repair.quarantine == (changed,)
    assert repair.quarantine_names == ("f",)
    assert set(repair.missing) == {lost, changed}


def test_a_segment_without_its_sidecar_is_kept_where_the_index_has_its_keys_and_deleted_where_nobody_has() -> None:
    indexed, changed, cut, evicted = (new_id() for _ in range(4))
    found = Found(complete={}, half=(), lone={indexed: 5, changed: 4, cut: 5, evicted: 5}, foreign=())
    repair = reconcile(found, {indexed: 5, changed: 5}, [evicted])
    assert repair.delete_names == (f"{cut}.seg",)
    assert repair.quarantine_names == (f"{changed}.seg",)
    assert repair.missing == (changed,)
    assert (repair.quarantine, repair.index, repair.delete) == ((), (), (evicted,))


def test_an_equal_folder_and_index_need_no_repair() -> None:
    one = new_id()
    repair = reconcile(Found(complete={one: 5}, half=(), lone={}, foreign=()), {one: 5}, [])
    assert (repair.quarantine, repair.quarantine_names, repair.missing) == ((), (), ())
    assert (repair.index, repair.delete, repair.delete_names) == ((), (), ())


def test_a_cut_write_and_an_unfinished_eviction_are_no_surprise() -> None:
    repair = reconcile(Found(complete={}, half=("a.seg.tmp",), lone={}, foreign=()), {}, [new_id()])
    assert (repair.quarantine, repair.quarantine_names, repair.missing) == ((), (), ())
