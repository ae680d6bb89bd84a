"""Random delays keep their bounds."""

from agent.core import jitter


def test_delays_are_jittered_within_their_bounds() -> None:
    delays = [jitter.full_jitter_s(attempt, low_s=5, high_s=900) for attempt in range(40)]
    assert all(5 <= delay <= 900 for delay in delays)
    assert jitter.full_jitter_s(0, low_s=5, high_s=900) <= 10
    assert 1 <= jitter.uniform_s(1, 2) <= 2
