"""Ring against bare memcpy and a deque of bytes: append and evict, bytes allocated, memory under a burst.

Both sides run in the same rounds, in turn; the figure is the median of the rounds' ratios, of CPU time.
Run: python -m benchmarks.ring_push
"""

import resource
import statistics
import threading
import time
import tracemalloc
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agent.buffer.ring import Ring

FPS, GOP, SECONDS = 30, 60, 10
ROUNDS, PUSHES = 41, 1800
CAPACITY_BYTES = 6_300_000  # ten seconds and a GOP: what the deque holds too


def packets(*, factor: int = 1) -> list[memoryview]:
    """Return one GOP's packets as views of an encoder's buffer: mean 16.8 kB, key frames 60 kB."""
    rng = np.random.default_rng(7)
    sizes = [60_000, *rng.integers(6_000, 26_000, GOP - 1).tolist()]
    return [memoryview(rng.bytes(size * factor)) for size in sizes]


def memcpy(frames: list[memoryview]) -> Callable[[], None]:
    """Copy each packet into the same buffer, without index, lock or eviction: the floor."""
    view = np.zeros(CAPACITY_BYTES, np.uint8).data
    at = 0

    def run() -> None:
        nonlocal at
        for n in range(PUSHES):
            data = frames[n % GOP]
            end = at + len(data)
            if end > CAPACITY_BYTES:
                at, end = 0, len(data)
            view[at:end] = data
            at = end

    return run


def ring(frames: list[memoryview]) -> Callable[[], None]:
    """Push into the ring, which evicts all the time."""
    one = Ring(capacity_bytes=CAPACITY_BYTES, max_packets=4096)
    time_ns = 0

    def run() -> None:
        nonlocal time_ns
        push = one.push
        for n in range(PUSHES):
            time_ns += 33_333_333
            push(frames[n % GOP], time_ns, is_keyframe=n % GOP == 0)

    return run


def deque_of_bytes(frames: list[memoryview]) -> Callable[[], None]:
    """Keep references to bytes, made from the view, bounded by time, under a lock."""
    held: deque[tuple[bytes, int, bool]] = deque()
    lock = threading.Lock()
    time_ns = 0

    def run() -> None:
        nonlocal time_ns
        for n in range(PUSHES):
            time_ns += 33_333_333
            with lock:
                held.append((bytes(frames[n % GOP]), time_ns, n % GOP == 0))
                while held[0][1] < time_ns - SECONDS * 1_000_000_000:
                    held.popleft()

    return run


def timed_us(run: Callable[[], None]) -> float:
    begin = time.thread_time_ns()
    run()
    return (time.thread_time_ns() - begin) / 1000 / PUSHES


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def main() -> None:
    frames = packets()
    runs = {"memcpy": memcpy(frames), "ring": ring(frames), "deque of bytes": deque_of_bytes(frames)}
    rounds = [{name: timed_us(run) for name, run in runs.items()} for _ in range(ROUNDS)][1:]
    for name in runs:
        print(f"{name:15} {statistics.median(one[name] for one in rounds):6.2f} us a packet")
    for name, limit in (("memcpy", 1.6), ("deque of bytes", 1.1)):
        ratio = statistics.median(one["ring"] / one[name] for one in rounds)
        print(f"ring / {name:15} {ratio:5.2f}  (limit {limit})")

    one = Ring(capacity_bytes=CAPACITY_BYTES, max_packets=4096)
    loud = packets(factor=4)
    for n in range(600):
        one.push(frames[n % GOP], n, is_keyframe=n % GOP == 0)
    tracemalloc.start()
    before_bytes, rss_before = tracemalloc.get_traced_memory()[0], rss_bytes()
    for n in range(600, 3000):
        one.push(loud[n % GOP], n * 33_333_333, is_keyframe=n % GOP == 0)
    grown_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
    print(f"allocated over 2400 packets of a 4x burst: {grown_bytes} bytes (index integers), of {CAPACITY_BYTES}")
    print(f"rss growth in the burst / capacity: {(rss_bytes() - rss_before) / CAPACITY_BYTES:.4f}  (limit 0.05)")
    held_ns = one.snapshot(0).times_ns
    print(f"the burst leaves {(held_ns[-1] - held_ns[0]) / 1e9:.1f} s of pre-roll")


if __name__ == "__main__":
    main()
