"""Snapshot of ten seconds of pre-roll as views, against memcpy of the same bytes.

Both sides run in the same rounds, in turn; the figure is the median of the rounds' ratios, of CPU time.
Run: python -m benchmarks.ring_snapshot
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from agent.buffer.ring import Ring
from benchmarks.ring_push import GOP, packets

ROUNDS, PACKETS, CAPACITY_BYTES = 200, 330, 6_300_000


def timed_us(run: Callable[[], object]) -> float:
    begin = time.thread_time_ns()
    run()
    return (time.thread_time_ns() - begin) / 1000


def main() -> None:
    ring = Ring(capacity_bytes=CAPACITY_BYTES, max_packets=4096)
    frames = packets()
    for n in range(700):
        ring.push(frames[n % GOP], n, is_keyframe=n % GOP == 0)
    snapshot = ring.snapshot(700 - PACKETS)
    regions = snapshot.regions()
    size = sum(len(one) for one in regions)
    source = np.zeros(size, np.uint8)
    target = np.zeros(size, np.uint8)
    rounds = [
        (
            timed_us(lambda: ring.snapshot(700 - PACKETS).regions()),
            timed_us(lambda: ring.snapshot(700 - PACKETS).packets()),
            timed_us(lambda: np.copyto(target, source)),
            timed_us(lambda: ring.snapshot(700 - PACKETS).detached()),
        )
        for _ in range(ROUNDS)
    ]
    views, packed, copied, detached = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(
        f"{len(snapshot)} packets, {size / 1e6:.1f} MB: views {views:.1f} us, one for each packet {packed:.1f} us"
    )
    print(f"memcpy {copied:.1f} us, a copy of its own {detached:.1f} us")
    print(f"views / memcpy            {statistics.median(a / c for a, _, c, _ in rounds):.3f}  (limit 0.2)")
    print(f"view per packet / memcpy  {statistics.median(b / c for _, b, c, _ in rounds):.3f}")


if __name__ == "__main__":
    main()
