"""A picture of scores over time: people would rather look than read. Pure: numbers in, an image out."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

_WIDTH, _HEIGHT = 1280, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 44, 44
_TOP_SCORE = 2.0
_INK: Colour = (60, 60, 60)
_GRID: Colour = (225, 225, 225)
_SCORE: Colour = (160, 90, 20)
_LIMIT: Colour = (40, 40, 200)
_EVENT: Colour = (190, 235, 200)
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)
_MOST_TICKS = 14


def draw_scores(
    title: str, times_ms: Sequence[float], scores: Sequence[float], events: Sequence[tuple[int, int]]
) -> Picture:
    """Return uint8[400, 1280, 3] (blue, green, red) with score, threshold and events over time.

    Args:
        title: one line above the plot.
        times_ms: of each frame, ascending.
        scores: of each frame; the threshold is 1.
        events: (first frame, last frame), inclusive.
    """
    picture = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    span_ms = max(1.0, times_ms[-1] if times_ms else 1.0)

    def x(t_ms: float) -> int:
        return _LEFT + round((_WIDTH - _LEFT - _RIGHT) * t_ms / span_ms)

    def y(score: float) -> int:
        return _HEIGHT - _BOTTOM - round((_HEIGHT - _TOP - _BOTTOM) * min(score, _TOP_SCORE) / _TOP_SCORE)

    for first, last in events:
        left, right = x(times_ms[first]), max(x(times_ms[last]), x(times_ms[first]) + 1)
        cv2.rectangle(picture, (left, _TOP), (right, _HEIGHT - _BOTTOM), _EVENT, -1)
    for score in (0.0, 0.5, 1.5, 2.0):
        cv2.line(picture, (_LEFT, y(score)), (_WIDTH - _RIGHT, y(score)), _GRID, 1)
        _write(picture, f"{score:.1f}", (16, y(score) + 5))
    step_s = next((s for s in _STEPS_S if span_ms / 1000 / s <= _MOST_TICKS), _STEPS_S[-1])
    for t_s in range(0, int(span_ms / 1000) + 1, step_s):
        cv2.line(picture, (x(t_s * 1000), _HEIGHT - _BOTTOM), (x(t_s * 1000), _HEIGHT - _BOTTOM + 5), _INK, 1)
        _write(picture, _clock(t_s), (x(t_s * 1000) - 12, _HEIGHT - _BOTTOM + 22))
    if scores:
        line = np.array([[x(t), y(s)] for t, s in zip(times_ms, scores, strict=True)], np.int32)
        cv2.polylines(
            picture, [line.reshape(-1, 1, 2)], isClosed=False, color=_SCORE, thickness=1, lineType=cv2.LINE_AA
        )
    cv2.line(picture, (_LEFT, y(1.0)), (_WIDTH - _RIGHT, y(1.0)), _LIMIT, 1)
    _write(picture, "1.0", (16, y(1.0) + 5), _LIMIT)
    _write(picture, title, (_LEFT, 26), scale=0.55)
    for at, (name, colour) in enumerate((("score", _SCORE), ("threshold", _LIMIT), ("event", (90, 170, 110)))):
        _write(picture, name, (_WIDTH - 280 + at * 90, 26), colour)
    return picture


def _clock(t_s: int) -> str:
    return f"{t_s // 60}:{t_s % 60:02d}"


def _write(picture: Picture, text: str, at: tuple[int, int], colour: Colour = _INK, scale: float = 0.42) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
