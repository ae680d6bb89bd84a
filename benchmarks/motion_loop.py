"""The whole idle loop, paced like a camera: wake up, motion, ring; against picamera2's example, against nothing.

Frames and packets are given. Ours wakes once a frame for both. The example (written anew from its description) has
a thread that keeps encoder packets in a deque bounded by time, CircularOutput2's way, and a main loop that copies
the small frame and takes the mean square of the difference. "bare": wakes up and takes the frame from its list, no
more. Each runs for WARM_S before it is measured: making a ring and learning a picture happens once, and eight
seconds stand for a minute here. CPU seconds per minute, rounds in turn, medians of ratios.
Run: python -m benchmarks.motion_loop [rounds]
"""

import os
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from agent.buffer.ring import Ring
from agent.capture.motion import MotionKernel
from agent.capture.trigger import Trigger
from benchmarks.motion_kernel import frames_of

Frame = npt.NDArray[np.uint8]
SIZE, FPS, GOP, SECONDS = (640, 360), 30, 60, 8
KEEP_S = 10
WARM_S = 2
Loop = Callable[[list[Frame], list[bytes]], float]


def paced(step: Callable[[int], None]) -> float:
    """Call `step(n)` FPS times a second for WARM_S and SECONDS; return the CPU seconds used before the latter."""
    begin, used_s = time.monotonic(), 0.0
    for n in range(FPS * (WARM_S + SECONDS)):
        if n == FPS * WARM_S:
            used_s = time.process_time()
        wait_s = begin + n / FPS - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        step(n)
    return used_s


def bare(frames: list[Frame], packets: list[bytes]) -> float:
    """Wake up and take what is there."""
    taken: list[tuple[Frame, bytes]] = []

    def step(n: int) -> None:
        taken[:] = [(frames[n % len(frames)], packets[n % GOP])]

    return paced(step)


def ours(frames: list[Frame], packets: list[bytes]) -> float:
    """One wake-up: kernel, trigger, ring."""
    kernel, trigger, ring = MotionKernel(SIZE), Trigger(), Ring(capacity_bytes=6_300_000, max_packets=4096)
    views = [memoryview(packet) for packet in packets]

    def step(n: int) -> None:
        time_ns = n * 1_000_000_000 // FPS
        answer = kernel.step(frames[n % len(frames)], time_ns / 1_000_000)
        trigger.step(time_ns, answer.motion)
        ring.push(views[n % GOP], time_ns, is_keyframe=n % GOP == 0)

    return paced(step)


def example(frames: list[Frame], packets: list[bytes]) -> float:
    """Two wake-ups: packets into a deque under a lock; a copied frame, its mean square difference."""
    held: deque[tuple[bytes, bool, int]] = deque()
    lock = threading.Lock()

    def encoder(n: int) -> None:
        time_us = n * 1_000_000 // FPS
        with lock:
            held.append((packets[n % GOP], n % GOP == 0, time_us))
            while held and time_us - held[0][2] > KEEP_S * 1_000_000:
                held.popleft()

    previous: list[Frame] = []

    def motion(n: int) -> None:
        current = frames[n % len(frames)].copy()
        if previous:
            mse = np.square(np.subtract(current, previous[0])).mean()
            if mse > 1e9:
                raise RuntimeError
        previous[:] = [current]

    thread = threading.Thread(target=paced, args=(encoder,))
    thread.start()
    used_s = paced(motion)
    thread.join()
    return used_s


def main() -> None:
    """Print CPU seconds per minute of each and the ratios."""
    cv2.setNumThreads(1)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rng = np.random.default_rng(7)
    packets = [rng.bytes(60_000)] + [rng.bytes(int(size)) for size in rng.integers(6_000, 26_000, GOP - 1)]
    frames = frames_of("quiet", SIZE)
    loops: dict[str, Loop] = {"bare": bare, "ours": ours, "example": example}
    spent: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            begin = loop(frames, packets)
            spent[name].append((time.process_time() - begin) * 60 / SECONDS)
    for name, seconds in spent.items():
        print(f"{name:8s} {statistics.median(seconds):.3f} CPU s per minute at {SIZE[0]}x{SIZE[1]}, {FPS} fps")
    for other, target in (("example", 0.6), ("bare", 2.0)):
        ratio = statistics.median(a / b for a, b in zip(spent["ours"], spent[other], strict=True))
        print(f"ours x {other}: {ratio:.2f} (target {target})")


if __name__ == "__main__":
    main()
