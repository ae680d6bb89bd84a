"""Whether UTC may be trusted: every way in and out of UNTRUSTED and SUSPECT."""

from agent.consent.timekeeping import Arrived, Jumped, Reading, Timekeeper

FLOOR_S = 1_800_000_000
NOW_MS = (FLOOR_S + 1_000) * 1_000
DAY_MS = 86_400_000
NS = 1_000_000


def _trusted() -> Timekeeper:
    keeper = Timekeeper(FLOOR_S)
    assert keeper.observe(NOW_MS, 0, synchronised=True) == Arrived(NOW_MS, first=True)
    return keeper


def _worth(keeper: Timekeeper) -> str:
    return keeper.trust.value


def test_it_is_untrusted_until_it_is_synchronised_and_past_the_floor() -> None:
    keeper = Timekeeper(FLOOR_S)
    assert keeper.observe(NOW_MS, 0, synchronised=False) is None
    assert _worth(keeper) == "unsynced"
    assert keeper.observe((FLOOR_S - 1) * 1_000, 0, synchronised=True) is None
    assert _worth(keeper) == "unsynced"
    assert keeper.observe(NOW_MS, 0, synchronised=True) == Arrived(NOW_MS, first=True)
    assert _worth(keeper) == "synced"


def test_a_boots_first_synchronisation_is_no_jump() -> None:
    keeper = Timekeeper(FLOOR_S)
    keeper.observe(0, 0, synchronised=False)
    assert keeper.observe(NOW_MS, 10 * NS, synchronised=True) == Arrived(NOW_MS - 10, first=True)


def test_time_that_simply_goes_by_is_no_news() -> None:
    keeper = _trusted()
    assert keeper.observe(NOW_MS + 5_000, 5_000 * NS, synchronised=True) is None
    assert keeper.observe(NOW_MS + 90 * DAY_MS, 90 * DAY_MS * NS, synchronised=True) is None


def test_a_small_step_is_a_new_mapping() -> None:
    keeper = _trusted()
    assert keeper.observe(NOW_MS + 60_000, 0, synchronised=True) == Arrived(NOW_MS + 60_000, first=False)


def test_a_jump_either_way_is_suspect_until_it_is_bracketed_or_confirmed() -> None:
    for by_ms in (DAY_MS + 1, -DAY_MS - 1):
        keeper = _trusted()
        assert keeper.observe(NOW_MS + by_ms, 0, synchronised=True) == Jumped(by_ms)
        assert _worth(keeper) == "suspect"
        assert keeper.observe(NOW_MS + by_ms, 0, synchronised=True) is None
        assert _worth(keeper) == "suspect"
        now_ms, now_s = NOW_MS + by_ms, (NOW_MS + by_ms) // 1_000
        assert not keeper.bracket(now_ms, issued_s=now_s + 1, expires_s=now_s + 2)
        assert not keeper.bracket(now_ms, issued_s=now_s - 2, expires_s=now_s)
        assert keeper.bracket(now_ms, issued_s=now_s - 1, expires_s=now_s + 1)
        assert _worth(keeper) == "synced"
        assert not keeper.confirm()


def test_exactly_a_day_is_no_jump() -> None:
    keeper = _trusted()
    assert keeper.observe(NOW_MS + DAY_MS, 0, synchronised=True) == Arrived(NOW_MS + DAY_MS, first=False)


def test_a_clock_that_loses_its_source_is_untrusted_and_comes_back() -> None:
    keeper = _trusted()
    keeper.observe(NOW_MS + 1_000, 1_000 * NS, synchronised=False)
    assert _worth(keeper) == "unsynced"
    assert keeper.observe(NOW_MS + 2_000, 2_000 * NS, synchronised=True) == Arrived(NOW_MS, first=False)


def test_a_restart_of_the_process_does_not_hide_a_jump() -> None:
    keeper = Timekeeper(FLOOR_S, offset_ms=NOW_MS)
    assert isinstance(keeper.observe(NOW_MS + 2 * DAY_MS, 0, synchronised=True), Jumped)


def test_the_floor_only_rises_and_never_past_the_timestamps_expiry() -> None:
    keeper = Timekeeper(FLOOR_S)
    assert not keeper.raise_floor(issued_s=FLOOR_S - 10, last_trusted_s=FLOOR_S - 5, expires_s=FLOOR_S)
    assert keeper.raise_floor(issued_s=FLOOR_S - 10, last_trusted_s=FLOOR_S + 500, expires_s=FLOOR_S + 100)
    assert keeper.floor_s == FLOOR_S + 100
    assert keeper.raise_floor(issued_s=FLOOR_S + 200, last_trusted_s=0, expires_s=0)
    assert keeper.floor_s == FLOOR_S + 200


def test_a_reading_is_in_whole_seconds_too() -> None:
    assert Reading(1_999, 0, trusted=True).utc_s == 1


def test_many_steps_of_less_than_a_day_add_up_to_a_jump() -> None:
    keeper, step_ms = _trusted(), 23 * 3_600_000
    assert keeper.observe(NOW_MS + step_ms, 0, synchronised=True) == Arrived(NOW_MS + step_ms, first=False)
    assert keeper.observe(NOW_MS + 2 * step_ms, 0, synchronised=True) == Jumped(2 * step_ms)
    assert _worth(keeper) == "suspect"


def test_after_a_confirmation_a_jump_is_measured_from_there() -> None:
    keeper = _trusted()
    keeper.observe(NOW_MS + 2 * DAY_MS, 0, synchronised=True)
    keeper.observe(NOW_MS + 2 * DAY_MS + 5_000, 0, synchronised=True)
    assert keeper.confirm()
    assert keeper.observe(NOW_MS + 3 * DAY_MS + 5_000, 0, synchronised=True) is not None
    assert _worth(keeper) == "synced"
    assert isinstance(keeper.observe(NOW_MS + 3 * DAY_MS + 5_001, 0, synchronised=True), Jumped)


def test_a_restart_of_the_process_does_not_end_a_suspicion_even_where_utc_went_back() -> None:
    for by_ms in (0, DAY_MS // 2):
        keeper = Timekeeper(FLOOR_S, offset_ms=NOW_MS, anchor_ms=NOW_MS, is_suspect=True)
        assert _worth(keeper) == "suspect"
        assert keeper.observe(NOW_MS + by_ms, 0, synchronised=True) is None
        assert _worth(keeper) == "suspect"
        assert keeper.confirm()
        assert keeper.anchor_ms == NOW_MS + by_ms
        assert _worth(keeper) == "synced"


def test_a_restart_of_the_process_does_not_hide_steps() -> None:
    keeper = Timekeeper(FLOOR_S, offset_ms=NOW_MS + 23 * 3_600_000, anchor_ms=NOW_MS)
    assert isinstance(keeper.observe(NOW_MS + DAY_MS + 1, 0, synchronised=True), Jumped)
