"""Which `clock` entry maps a segment: the one that the device went by when it knew of it (section 16)."""

import json

from agent.core.ids import Id
from agent.evidence.log_leaves import Leaf, Log, read_log

BOOT = Id("b" * 32)
OTHER = Id("c" * 32)


def _log(*clocks: tuple[int, Id, int]) -> Log:
    """The log of a bundle that shows these (n, boot, offset_ms)."""
    entries = [
        {"n": n, "at": 0, "t": "clock", "boot": boot, "offset_ms": offset_ms, "state": "synced"}
        for n, boot, offset_ms in clocks
    ]
    return read_log(Leaf(int(str(entry["n"])), json.dumps(entry).encode(), ()) for entry in reversed(entries))


def test_a_segment_is_mapped_by_the_first_entry_after_it_where_none_came_before() -> None:
    log = _log((5, BOOT, 1_000), (6, BOOT, 3 * 3_600_000))
    assert log.offset_ms(BOOT, 3) == 1_000


def test_a_segment_is_mapped_by_the_last_entry_before_it() -> None:
    log = _log((5, BOOT, 1_000), (6, BOOT, 2_000), (9, BOOT, 3_000))
    assert log.offset_ms(BOOT, 7) == 2_000
    assert log.offset_ms(BOOT, 10) == 3_000


def test_the_entries_of_another_boot_map_nothing() -> None:
    assert _log((5, OTHER, 1_000)).offset_ms(BOOT, 3) is None
