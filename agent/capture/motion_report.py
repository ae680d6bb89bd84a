"""`doorbell motion VIDEO`: what the detector makes of a video, as text, as JSON lines and as a plot."""

import argparse
import json
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from agent.capture.motion import MotionKernel, MotionResult, MotionSettings
from agent.capture.motion_events import events_of, mark
from agent.capture.motion_pyav import luma_planes
from agent.capture.plot import draw_scores
from agent.core.errors import TroubleError

_DEFAULT_SIZE = (320, 240)
_SIDES_PX = range(16, 4097)
_MOST_FPS = 1000.0


@dataclass
class Report:
    """What was seen, frame by frame, and what it comes to."""

    times_ms: list[float] = field(default_factory=list)
    answers: list[MotionResult] = field(default_factory=list)
    marked: list[bool] = field(default_factory=list)
    events: list[tuple[int, int]] = field(default_factory=list)
    us_per_frame: float = 0.0


def watch(path: Path, size: tuple[int, int], fps: float | None, settings: MotionSettings) -> Report:
    """Run the kernel over a video or a folder of pictures.

    Raises:
        TroubleError: the video cannot be read.
    """
    report, kernel, spent_ns = Report(), MotionKernel(size, settings), 0
    for t_ms, luma in luma_planes(path, size, fps):
        begin_ns = time.perf_counter_ns()
        answer = kernel.step(luma, t_ms)
        spent_ns += time.perf_counter_ns() - begin_ns
        report.times_ms.append(t_ms)
        report.answers.append(answer)
    report.marked = mark(report.times_ms, report.answers)
    report.events = events_of(report.marked)
    report.us_per_frame = round(spent_ns / 1000 / max(1, len(report.answers)), 1)
    return report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `doorbell motion` takes."""
    parser.add_argument("video", type=Path, help="a video, or a folder of numbered pictures")
    parser.add_argument("--json", action="store_true", help="one line a frame, and a last line with the events")
    parser.add_argument(
        "--plot", type=_image, metavar="OUT.png", help="draw score, threshold and events over time"
    )
    parser.add_argument(
        "--size", type=_size, default=_DEFAULT_SIZE, metavar="WxH", help="size of the luma plane (320x240)"
    )
    parser.add_argument(
        "--fps", type=_fps, help="frame rate of a folder (25), or instead of the video's own times"
    )
    parser.add_argument(
        "--sensitivity", type=int, choices=range(1, 11), default=5, metavar="1-10", help="5 by default"
    )


def run(args: argparse.Namespace) -> int:
    """Do it; return the exit code. One line on stderr says what is wrong."""
    try:
        report = watch(args.video, args.size, args.fps, MotionSettings(sensitivity=args.sensitivity))
        if args.plot is not None:
            _plot(report, args.video, args.plot)
    except TroubleError as exc:
        sys.stderr.write(f"doorbell motion: {exc}\n")
        return 1
    sys.stdout.writelines(_as_json(report) if args.json else _as_text(report))
    return 0


def _plot(report: Report, video: Path, out: Path) -> None:
    scores = [answer.score for answer in report.answers]
    picture = draw_scores(f"{video.name}: {_count(report)}", report.times_ms, scores, report.events)
    try:
        written = cv2.imwrite(str(out), picture)
    except cv2.error as exc:
        raise TroubleError("plot", f"cannot write {out}; give a name that ends in .png") from exc
    if not written:
        raise TroubleError("plot", f"cannot write {out}; is the folder there and writable?")


def _as_json(report: Report) -> list[str]:
    lines = []
    for n, (t_ms, answer, marked) in enumerate(zip(report.times_ms, report.answers, report.marked, strict=True)):
        box = list(answer.box) if answer.box is not None and marked else None
        line = {
            "n": n,
            "t_ms": round(t_ms),
            "score": round(answer.score, 3),
            "motion": marked,
            "box": box,
            "why": answer.why.value,
        }
        lines.append(json.dumps(line) + "\n")
    last = {
        "events": [list(event) for event in report.events],
        "frames": len(report.answers),
        "us_per_frame": report.us_per_frame,
    }
    return [*lines, json.dumps(last) + "\n"]


def _as_text(report: Report) -> list[str]:
    lines = []
    for first, last in report.events:
        start, end = (_clock(report.times_ms[n]) for n in (first, last))
        lines.append(f"{start} to {end}  frames {first} to {last}\n")
    return [*lines, f"{_count(report)} in {len(report.answers)} frames, {report.us_per_frame} us per frame\n"]


def _count(report: Report) -> str:
    count = len(report.events)
    return "no event" if not count else "1 event" if count == 1 else f"{count} events"


def _clock(t_ms: float) -> str:
    minutes, rest = divmod(t_ms / 1000, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text)
    if match is None or int(match[1]) not in _SIDES_PX or int(match[2]) not in _SIDES_PX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write it as 320x240, 16 to 4096 each")
    return int(match[1]), int(match[2])


def _fps(text: str) -> float:
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= _MOST_FPS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame rate; write a number above 0, such as 15")
    return fps


def _image(text: str) -> Path:
    if Path(text).suffix.lower() not in {".png", ".jpg", ".jpeg"}:
        raise argparse.ArgumentTypeError(f"{text!r} is not a picture's name; end it in .png")
    return Path(text)
