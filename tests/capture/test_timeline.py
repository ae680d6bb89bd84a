"""A live stream's stamps on boot time: rising, close to the truth, through jitter, drift and restarts."""

import numpy as np

from agent.capture.timeline import JUMP_NS, Timeline

NS = 1_000_000_000
FRAME = NS // 25


def test_jitter_of_the_network_does_not_reach_the_stamps() -> None:
    random = np.random.default_rng(3)
    line, start = Timeline(), 500 * NS
    placed = [
        line.place(n * FRAME, start + n * FRAME + int(delay))
        for n, delay in enumerate(random.exponential(30_000_000, 2000))
    ]
    steps = np.diff(placed[100:])
    assert abs(steps - FRAME).max() < FRAME // 16  # 2.5 ms, where the network moved them by 200
    assert abs(placed[-1] - (start + 1999 * FRAME)) < 20_000_000
    assert line.jumps == 0


def test_a_camera_whose_clock_runs_slow_or_fast_is_followed() -> None:
    for parts in (-100, 100):
        line = Timeline()
        for n in range(25 * 3600):
            arrival = 10 * NS + n * FRAME
            placed = line.place(n * FRAME * (1_000_000 + parts) // 1_000_000, arrival)
        assert abs(placed - arrival) < FRAME


def test_stamps_always_rise() -> None:
    random = np.random.default_rng(5)
    line, last = Timeline(), 0
    for n in range(3000):
        stamp = int(random.integers(0, 90 * NS)) if n % 50 == 0 else n * FRAME
        placed = line.place(stamp, 100 * NS + n * FRAME)
        assert placed > last
        last = placed


def test_frames_queued_while_opening_keep_time_between_them() -> None:
    line = Timeline()
    placed = [line.place(n * FRAME, 100 * NS) for n in range(13)]  # half a second at once
    placed += [line.place(n * FRAME, 100 * NS + (n - 12) * FRAME) for n in range(13, 100)]
    assert np.diff(placed).min() >= FRAME // 2 - 1
    assert abs(placed[-1] - (100 * NS + 87 * FRAME)) < FRAME


def test_a_counter_that_starts_anew_is_a_jump_and_time_goes_on() -> None:
    line = Timeline()
    before = [line.place(n * FRAME, 100 * NS + n * FRAME) for n in range(100)][-1]
    after = line.place(0, 100 * NS + 100 * FRAME)
    assert after - before == FRAME
    assert line.jumps == 1


def test_a_hiccup_shorter_than_a_jump_moves_nothing() -> None:
    line = Timeline()
    for n in range(100):
        line.place(n * FRAME, 100 * NS + n * FRAME)
    late = line.place(100 * FRAME, 100 * NS + 100 * FRAME + JUMP_NS // 2)
    assert abs(late - (100 * NS + 100 * FRAME)) < FRAME // 10
