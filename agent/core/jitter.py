"""Random delays; the only module that draws them.

A delay is no secret, but a fleet that retries in step is a flood.
"""

import random  # noqa: TID251 - the one module that may

_draw = random.SystemRandom()


def full_jitter_s(attempt: int, *, low_s: float, high_s: float) -> float:
    """Return a delay before retry `attempt` (from 0): uniform in [low, min(high, low * 2 ** (attempt + 1))]."""
    ceiling = min(high_s, low_s * 2.0 ** min(attempt + 1, 32))
    return _draw.uniform(low_s, ceiling)


def uniform_s(low_s: float, high_s: float) -> float:
    """Return a delay, uniform in [low, high]."""
    return _draw.uniform(low_s, high_s)
