"""How well the kernel and others see: scenes with exact truth, one default each, no tuning per scene.

Frames count where truth is known; an event is found when any of its frames is flagged; "false" is the share of the
frames without anybody that were flagged. Others' flags are bridged over gaps of a second as ours are, and the
background models see pictures reduced as their users reduce them. Seeds were not used in development.
Run: python -m benchmarks.motion_quality [seed ...]
"""

import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from multiprocessing import Pool

import cv2
import numpy as np
import numpy.typing as npt

from agent.capture.motion_events import mark
from tests.capture import scenes, scenes_list
from tests.capture.scenes_score import Flagger, Flags, Score, kernel_flags

Frame = npt.NDArray[np.uint8]
_SEEDS = (101, 103, 105)
_AREA = 0.002  # of the picture: what the others must see at least
_NO_TRIGGER = ("rain", "downpour", "drift", "light_steps", "clouds")


def bridged(flags: Sequence[bool], times_ms: Sequence[float]) -> Flags:
    """Close gaps of a second, as `doorbell motion` does."""
    from agent.capture.motion import MotionResult, Why  # noqa: PLC0415 - only here

    answers = [MotionResult(0, bool(f), None, Why.STILL, t) for f, t in zip(flags, times_ms, strict=True)]
    return mark(times_ms, answers)


def subtractor(make: Callable[[], cv2.BackgroundSubtractor]) -> Flagger:
    """A background model with its defaults, its mask opened once, above the least area."""

    def flags(frames: Sequence[Frame], times_ms: Sequence[float]) -> Flags:
        model, cross = make(), np.ones((3, 3), np.uint8)
        out = []
        for frame in frames:
            mask = cv2.morphologyEx(model.apply(frame), cv2.MORPH_OPEN, cross)
            out.append(int((mask == 255).sum()) > _AREA * frame.size)
        out[:10] = [False] * min(10, len(out))
        return bridged(out, times_ms)

    return flags


def absdiff(frames: Sequence[Frame], times_ms: Sequence[float]) -> Flags:
    """Difference to the previous frame above 25, above the least area."""
    out = [False]
    for before, frame in pairwise(frames):
        out.append(int((cv2.absdiff(before, frame) > 25).sum()) > _AREA * frame.size)
    return bridged(out, times_ms)


def mean_square(*, wraps: bool) -> Flagger:
    """picamera2's motion example: mean square difference above 7, as shipped (uint8 wraps) or corrected."""

    def flags(frames: Sequence[Frame], times_ms: Sequence[float]) -> Flags:
        out = [False]
        for before, frame in pairwise(frames):
            if wraps:
                mse = float(np.square(np.subtract(frame, before)).mean())
            else:
                mse = float(np.square(frame.astype(np.int16) - before).mean())
            out.append(mse > 7)
        return bridged(out, times_ms)

    return flags


SIDES: dict[str, Flagger] = {
    "this kernel": kernel_flags,
    "MOG2": subtractor(cv2.createBackgroundSubtractorMOG2),
    "KNN": subtractor(cv2.createBackgroundSubtractorKNN),
    "absdiff 25": absdiff,
    "picamera2 example": mean_square(wraps=True),
    "the same, corrected": mean_square(wraps=False),
}


def judge(job: tuple[str, int]) -> tuple[str, dict[str, Score]]:
    """Play one scene to every side."""
    name, seed = job
    cv2.setNumThreads(1)
    shots = list(scenes.play(name, seed))
    times, truth = [s.t_ms for s in shots], [s.truth for s in shots]
    scores = {}
    for side, flagger in SIDES.items():
        scores[side] = Score()
        scores[side].add(flagger([s.luma for s in shots], times), times, truth)
    return name, scores


def merged(parts: Sequence[Score]) -> Score:
    """Add scores up."""
    total = Score()
    for part in parts:
        for key in ("hits", "misses", "false", "empty", "events", "found", "false_events"):
            setattr(total, key, getattr(total, key) + getattr(part, key))
        total.delays_s += part.delays_s
    return total


def main() -> None:
    """Print the table of sides, then this kernel's scenes that are not perfect."""
    seeds = [int(word) for word in sys.argv[1:]] or list(_SEEDS)
    assert scenes_list.SHAPE == (240, 320)
    jobs = [(name, seed) for name in scenes.SCENES for seed in seeds]
    with Pool(len(os.sched_getaffinity(0))) as pool:
        done = pool.map(judge, jobs, chunksize=1)
    print(f"{len(scenes.SCENES)} scenes, seeds {seeds}")
    print("                      precision  recall      F1   false  found   false events  delay s")
    for side in SIDES:
        s = merged([scores[side] for _, scores in done])
        found = f"{s.found}/{s.events}"
        print(
            f"{side:20s} {s.precision:10.3f} {s.recall:7.3f} {s.f1:7.3f} {s.false_rate:7.3f} {found:>8s}"
            f" {s.false_events:9d} {s.delay_s:11.2f}"
        )
    print("\nthis kernel, scene by scene, where anything is missed or false:")
    for name in scenes.SCENES:
        s = merged([scores["this kernel"] for at, scores in done if at == name])
        if s.false_events or s.found < s.events or (s.events and s.recall < 0.97) or s.false_rate > 0.05:
            shown = f"recall {s.recall:.3f}" if s.events else "nobody there"
            print(f"  {name:20s} {shown:13s} false {s.false_rate:.3f} in {s.false_events} events of their own")
    calm = merged([scores["this kernel"] for at, scores in done if at in _NO_TRIGGER])
    print(f"rain, downpour, drift, light steps, clouds: {calm.false_events} false triggers (target 0)")


if __name__ == "__main__":
    main()
