"""The motion kernel against the recipe of the best known home recorder, against bare OpenCV, against a copy.

All four see the same frames in the same rounds, in turn, on one pinned core; the figure is the median of the
rounds' ratios of CPU time per frame. "quiet": nobody is there, which is what a doorbell sees nearly all day.
"busy": someone walks through the picture. Run: python -m benchmarks.motion_kernel
"""

import os
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from agent.capture.motion import MotionKernel
from tests.capture import scenes

Frame = npt.NDArray[np.uint8]
Step = Callable[[Frame, float], None]
ROUNDS, FRAMES, SKIPPED, LAPS = 15, 150, 60, 10
CASES = (((320, 240), 15), ((320, 240), 30), ((640, 360), 30))
TARGETS = {(320, 240): (0.10, 2.0, 6.0), (640, 360): (0.20, float("inf"), float("inf"))}


class Recipe:
    """Contrast-stretched running average on 100 rows, as Frigate documents its detector; written anew.

    Its scipy Gaussian is OpenCV's here, which is kinder to it.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = (round(100 * size[0] / size[1]), 100)
        self._average = np.zeros((100, self._size[0]), np.float32)

    def step(self, frame: Frame, _t_ms: float) -> None:
        """Resize, stretch between two percentiles, blur, compare, dilate, find contours, average."""
        small = cv2.resize(frame, self._size, interpolation=cv2.INTER_LINEAR)
        low, high = np.percentile(small, 4), np.percentile(small, 96)
        stretched = np.clip(small, low, high)
        stretched = ((stretched - low) / max(1.0, high - low) * 255).astype(np.uint8)
        blurred = cv2.GaussianBlur(stretched, (3, 3), 1)
        delta = cv2.absdiff(blurred, cv2.convertScaleAbs(self._average))
        mask = cv2.threshold(delta, 30, 255, cv2.THRESH_BINARY)[1]
        grown = cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=1)
        contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            if cv2.contourArea(contour) > 10:
                cv2.boundingRect(contour)
        cv2.accumulateWeighted(blurred, self._average, 0.01)


def chain(size: tuple[int, int]) -> Step:
    """Difference, threshold, count: the least that can be called detection."""
    width, height = size
    difference, mask = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    previous = [difference]

    def step(frame: Frame, _t_ms: float) -> None:
        cv2.absdiff(frame, previous[0], difference)
        cv2.threshold(difference, 25, 255, cv2.THRESH_BINARY, mask)
        cv2.countNonZero(mask)
        previous[0] = frame

    return step


def copy(size: tuple[int, int]) -> Step:
    held = np.zeros((size[1], size[0]), np.uint8)
    return lambda frame, _t_ms: np.copyto(held, frame)


def kernel(size: tuple[int, int]) -> Step:
    one = MotionKernel(size)

    def step(frame: Frame, t_ms: float) -> None:
        one.step(frame, t_ms)

    return step


def frames_of(name: str, size: tuple[int, int]) -> list[Frame]:
    """Return distinct frames, more than fit in a cache: a camera's frame is cold."""
    shots = [shot.luma for shot in scenes.play(name, 2)]
    chosen = [shots[n % len(shots)] for n in range(SKIPPED + FRAMES)]
    return [np.ascontiguousarray(cv2.resize(shot, size)) for shot in chosen]


def measure(frames: Sequence[Frame], size: tuple[int, int], fps: int) -> list[float]:
    """Return us per frame of each side, kernel first, and print the ratios."""
    makers = (kernel, lambda s: Recipe(s).step, chain, copy)
    rounds: list[list[float]] = []
    for _ in range(ROUNDS):
        row = []
        for make in makers:
            step = make(size)
            for n in range(SKIPPED):
                step(frames[n], n * 1000 / fps)
            begin = time.thread_time_ns()
            for n in range(SKIPPED, SKIPPED + FRAMES):
                step(frames[n], n * 1000 / fps)
            row.append((time.thread_time_ns() - begin) / FRAMES / 1000)
        rounds.append(row)
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    ratios = [statistics.median(row[0] / row[other] for row in rounds) for other in (1, 2, 3)]
    return [*medians, *ratios]


def allocated(size: tuple[int, int], frames: Sequence[Frame]) -> tuple[float, int]:
    """Return (bytes left per frame, most bytes in use at once during a frame), by tracemalloc.

    Traced from the start, so that what a frame replaces is known too; times are made before, as a camera does. Ten
    laps show what grows; one shows only that the last numbers are others than the first.
    """
    one, count = MotionKernel(size), len(frames)
    times_ms = [n * 100.0 for n in range((1 + LAPS) * count)]
    tracemalloc.start()
    for frame, t_ms in zip(frames, times_ms[:count], strict=True):
        one.step(frame, t_ms)
    before, worst = tracemalloc.get_traced_memory()[0], 0
    for frame, t_ms in zip(list(frames) * LAPS, times_ms[count:], strict=True):
        start = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        one.step(frame, t_ms)
        worst = max(worst, tracemalloc.get_traced_memory()[1] - start)
    left = (tracemalloc.get_traced_memory()[0] - before) / (LAPS * count)
    tracemalloc.stop()
    return left, worst


def main() -> None:
    """Print one row for each case."""
    cv2.setNumThreads(1)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("us per frame                 kernel  recipe  absdiff    copy   x recipe  x absdiff  x copy  (targets)")
    for size, fps in CASES:
        for scene in ("quiet", "walker"):
            frames = frames_of(scene, size)
            *times, recipe, bare, copied = measure(frames, size, fps)
            wanted = " ".join(f"{target:g}" for target in TARGETS[size])
            name = f"{size[0]}x{size[1]} {fps} fps {'busy' if scene == 'walker' else scene}"
            shown = "".join(f"{value:8.1f}" for value in times)
            print(f"{name:26s} {shown} {recipe:10.3f} {bare:10.2f} {copied:7.2f}  ({wanted})")
    for scene in ("quiet", "walker"):
        left, worst = allocated((320, 240), frames_of(scene, (320, 240)))
        print(f"{scene}: bytes left per frame {left:.2f}, most in use during a frame {worst} (a plane is 4800)")


if __name__ == "__main__":
    main()
