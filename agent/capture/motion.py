"""What moves in the picture: one small luma plane in, one answer out.

Rules of this room: pure; every array is made once. The full frame is read once, by the first halving; all else
happens on some forty by thirty blocks. `motion_light` takes out what happened to the whole picture,
`motion_background` knows each block and its restlessness, `motion_evidence` gathers what is left,
`motion_visit` follows what has been believed; this module decides when to believe. `motion_numbers` gives every
constant and its reason; docs/design/motion.md the why.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from agent.capture import motion_numbers as n
from agent.capture.motion_background import Background
from agent.capture.motion_evidence import Evidence
from agent.capture.motion_planes import Plane
from agent.capture.motion_visit import Visit

Luma = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
Zone = tuple[tuple[float, float], ...]

_DEFAULT_SENSITIVITY = 5
_PER_STEP = 1.25
_SMALLEST = 16
_LOOK_MS = n.LOOK_S * 1000 - 1e-6
_WINDOW = (n.WINDOW_BLOCKS, n.WINDOW_BLOCKS)


class Why(StrEnum):
    """Why the answer is what it is, in one word; `doorbell status` says it in a sentence."""

    STILL = "still"  # nothing exceeds what its block does by itself
    LEARNING = "learning"  # just started, or the whole picture has just changed
    MOTION = "motion"  # something moves, or moved a moment ago
    STANDING = "standing"  # what came in is still there
    SMALL = "small"  # something moves, but covers less than the minimum area
    BRIEF = "brief"  # something appeared but has not lasted, or not travelled, yet
    SWAY = "sway"  # it changes sides again and again: leaves, water, shadows of them
    LIGHT = "light"  # the light has changed
    NOISE = "noise"  # rain, snow or night noise: everywhere alike
    SHAKE = "shake"  # the camera moves


class MotionResult(NamedTuple):
    """One frame's answer.

    `score` is in units of the trigger's threshold: 1.0 is just enough. `box` is x, y, width, height in luma px.
    `began_ms` is the time of the frame in which the present motion was first visible (with motion only).
    """

    score: float
    motion: bool
    box: Box | None
    why: Why
    began_ms: float


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What the owner may choose (`[motion]` in the configuration).

    `sensitivity`: 1 (least) to 10; each step changes every threshold by a quarter.
    `zones`: polygons in fractions of the picture in which motion counts; none means everywhere.
    `minimum_area`: the smallest moving area that counts, as a fraction of the picture.
    """

    sensitivity: int = _DEFAULT_SENSITIVITY
    zones: tuple[Zone, ...] = ()
    minimum_area: float = 0.0008


class MotionKernel:
    """Motion detector over preallocated arrays for one camera; `size` is (width, height) of the luma plane.

    Raises:
        ValueError: the plane is smaller than 16 px, or a setting is out of its range.
    """

    def __init__(self, size: tuple[int, int], settings: MotionSettings | None = None) -> None:
        chosen = settings or MotionSettings()
        if min(size) < _SMALLEST or not 1 <= chosen.sensitivity <= 10 or not 0 <= chosen.minimum_area < 1:  # noqa: PLR2004 - the configuration's own bounds
            raise ValueError(
                "luma of at least 16 px, a sensitivity of 1 to 10 and a minimum area below 1 are needed"
            )
        self._shape = (size[1], size[0])
        halvings = 1
        while (size[0] >> halvings) > n.GRID_PX and (size[1] >> (halvings + 1)) > n.WINDOW_BLOCKS:
            halvings += 1
        self._block_px = 1 << halvings
        self._crop = (size[1] >> halvings << halvings, size[0] >> halvings << halvings)
        self._halves = [
            (
                np.zeros((self._crop[0] >> i, self._crop[1] >> i), np.uint8),
                (self._crop[1] >> i, self._crop[0] >> i),
            )
            for i in range(1, halvings + 1)
        ]
        self._small = self._halves[-1][0]
        shape = (self._small.shape[0], self._small.shape[1])
        self._blocks = shape[0] * shape[1]
        scale = _PER_STEP ** (_DEFAULT_SENSITIVITY - chosen.sensitivity)
        self._seen = Background(shape, scale=scale, zone=_zone_plane(shape, chosen.zones))
        self._evidence = Evidence(shape, gain=max(1.0, scale**-0.5))
        self._visit = Visit(shape)
        self._minimum_blocks = chosen.minimum_area * self._blocks
        self._mask = np.zeros(shape, np.uint8)
        self._a, self._b, self._c = (np.zeros(shape, np.float32) for _ in range(3))
        self._last_ms: float | None = None
        self._next_ms = -math.inf
        self._model_s = self._learn_until_s = self._gathered_s = self._busy_s = 0.0
        self._first = True
        self._soft_seen = False
        self._rests = False  # nobody is there, nothing is gathered, and the last answer says so
        self._shy: Luma | None = None
        self._shy_mask = np.zeros(shape, np.uint8)
        self._exceeding = 0.0
        self._candidate_s: float | None = None
        self._lost_s = 0.0
        self._entered, self._began_with, self._area = 0, 0, 0
        self._answer = MotionResult(0.0, motion=False, box=None, why=Why.LEARNING, began_ms=0.0)

    def step(self, luma: Luma, t_ms: float) -> MotionResult:
        """Look at one frame, uint8 (height, width), rows contiguous, captured at `t_ms` on any monotonic clock.

        Raises:
            ValueError: the frame is not of the size that the kernel was made for.
        """
        if t_ms < self._next_ms:
            return self._answer
        last = self._last_ms
        if luma.shape != self._shape:
            raise ValueError("the frame is not of the size that the kernel was made for")
        source = luma if self._crop == self._shape else luma[: self._crop[0], : self._crop[1]]
        for half, size in self._halves:
            cv2.resize(source, size, half, interpolation=cv2.INTER_AREA)
            source = half
        self._last_ms, self._next_ms = t_ms, t_ms + _LOOK_MS
        now_s = t_ms / 1000
        if last is None:
            self._restart(now_s, n.LEARN_S)
            return self._answer
        elapsed_s = (t_ms - last) / 1000
        if self._rests and self._seen.holds(self._small):
            self._gathered_s = now_s
            settled = now_s - self._busy_s > n.BACKGROUND_S
            if now_s - self._model_s < (n.MODEL_SETTLED_S if settled else n.MODEL_AT_REST_S):
                return self._answer
            elapsed_s = now_s - self._model_s  # nothing was compared meanwhile
        else:
            self._busy_s = now_s
        self._rests = False
        exceeds = self._seen.compare(self._small, elapsed_s, self._shy)
        if now_s < self._learn_until_s:
            self._seen.learn(first=self._first)
            self._model_s = self._gathered_s = now_s
            self._shy = None
            return self._say(0.0, Why.LIGHT if not self._first else Why.LEARNING)
        self._first = False
        return self._decide(now_s, elapsed_s, exceeds=exceeds)

    def _stay_shy(self) -> None:
        """Note where an object is, that the fit of light must not listen to, unless too much of the picture is."""
        visit, evidence = self._visit, self._evidence
        if visit.here:
            cv2.bitwise_or(visit.around, evidence.near, self._shy_mask)
        else:
            np.copyto(self._shy_mask, evidence.near)
        near = cv2.countNonZero(self._shy_mask)
        self._shy = self._shy_mask if 0 < near * 2 < self._blocks else None

    def _restart(self, now_s: float, learn_s: float) -> None:
        self._seen.restart(self._small)
        self._evidence.forget()
        self._learn_until_s = now_s + learn_s
        self._model_s = self._gathered_s = now_s
        self._candidate_s = None

    def _decide(self, now_s: float, elapsed_s: float, *, exceeds: bool) -> MotionResult:
        seen, evidence, visit = self._seen, self._evidence, self._visit
        if not exceeds and not visit.here and evidence.peak < n.EVIDENCE_ON / 4:
            evidence.rest(elapsed_s)
            self._shy = self._candidate_s = None
            self._exceeding = 0.0
            self._gathered_s = now_s
            self._model(now_s)
            self._rests = True
            return self._say(0.0, Why.STILL)
        gap_s = now_s - self._gathered_s
        if gap_s < (n.THINK_IN_VISIT_S if visit.here else n.THINK_S) - 1e-6 and not visit.has_left(seen):
            return self._answer
        self._gathered_s = now_s
        if self._is_sudden_light():
            self._restart(now_s, n.RELEARN_S)
            return self._say(0.0, Why.LIGHT)
        evidence.gather(seen, gap_s, visit.contrast)
        self._soft_seen = True
        why = self._believe(now_s, gap_s)
        if visit.here and visit.blocks() >= n.LIGHT_REGION and self._is_light(visit.region):
            visit.end()
            evidence.forget()
            self._candidate_s, why = None, Why.LIGHT
        self._stay_shy()
        self._model(now_s)
        return self._say(evidence.peak / n.EVIDENCE_ON, why)

    def _is_sudden_light(self) -> bool:
        seen = self._seen
        cv2.min(seen.size, seen.change, self._a)
        cv2.compare(self._a, seen.threshold, cv2.CMP_GT, self._mask)
        before, self._exceeding = self._exceeding, cv2.countNonZero(self._mask) / self._blocks
        sudden = self._exceeding > n.LIGHT_FRACTION and before < n.LIGHT_JUMP
        return sudden and self._is_light(self._mask)

    def _believe(self, now_s: float, elapsed_s: float) -> Why:
        """Follow the candidate, begin, move, hold or end the visit, and say why."""
        evidence, visit = self._evidence, self._visit
        active, fresh = evidence.travel(elapsed_s)
        if evidence.peak > n.EVIDENCE_LOW * n.EVIDENCE_ON:
            if self._candidate_s is None:
                self._candidate_s, self._entered, self._began_with = now_s, 0, 0
            if now_s - self._candidate_s <= n.FRESH_AFTER_S:
                self._began_with = max(self._began_with, active)
            else:
                self._entered += fresh
            self._lost_s = now_s
        elif self._candidate_s is not None and now_s - self._lost_s > n.LOST_S:
            self._candidate_s = None
        travels = (
            self._candidate_s is not None and self._entered >= n.FRESH_FRACTION * self._began_with + n.FRESH_BLOCKS
        )
        area = evidence.outline(self._seen)
        large_enough = area >= self._minimum_blocks
        if evidence.peak >= n.EVIDENCE_ON and large_enough:
            if not visit.here and self._candidate_s is not None and self._lasts(now_s, area, travels=travels):
                if area >= n.LIGHT_BEGIN and self._is_light(evidence.region):
                    return Why.LIGHT
                visit.begin(self._seen, self._candidate_s)
            if visit.here and visit.move(self._seen, evidence, now_s, elapsed_s, travels=travels):
                return Why.MOTION
        if visit.here:
            state = visit.wait(self._seen, evidence, self._small, now_s, elapsed_s)
            if state != "gone":
                return Why.STANDING if state == "stands" else Why.MOTION
            self._candidate_s = None
        return self._why_not(large_enough=large_enough)

    def _lasts(self, now_s: float, area: int, *, travels: bool) -> bool:
        age_s = now_s - (self._candidate_s or now_s)
        large = area >= n.LARGE_FRACTION * self._blocks
        return age_s >= n.PATIENCE_S or (travels and age_s >= (n.BRIEF_LARGE_S if large else n.BRIEF_S))

    def _why_not(self, *, large_enough: bool) -> Why:
        evidence = self._evidence
        if self._candidate_s is not None:
            return Why.BRIEF if large_enough else Why.SMALL
        if self._seen.light.shift_blocks() > 0.1:  # noqa: PLR2004 - about one px
            return Why.SHAKE
        if evidence.clutter > 1:
            return Why.NOISE
        return Why.SWAY if cv2.minMaxLoc(evidence.sides_changed)[1] > n.SWAY_TIMES else Why.STILL

    def _model(self, now_s: float) -> None:
        """Let the background follow, a few times a second."""
        if now_s - self._model_s < n.MODEL_S:
            return
        visit = self._visit
        shy = self._evidence.edges() if self._soft_seen else None
        if shy is not None and visit.here:
            cv2.bitwise_or(shy, visit.guard, shy)
        self._seen.adapt(
            now_s - self._model_s,
            soft=self._evidence.soft if self._soft_seen else None,
            shy=shy,
            visit=visit.guard if visit.here else None,
            travels=visit.travels,
            floor=visit.floor if visit.here else None,
        )
        self._model_s = now_s
        self._soft_seen = False

    def _is_light(self, where: Luma) -> bool:
        """Whether the texture under the change is still the background's: then only its light has changed."""
        for source, out in ((self._small, self._a), (self._seen.mean, self._b)):
            np.copyto(out, source)
            cv2.blur(out, _WINDOW, self._c)
            cv2.subtract(out, self._c, out)
            np.clip(out, -30, 30, out=out)  # one bright edge must not decide
        cv2.multiply(self._a, self._b, self._c)
        both = cv2.mean(self._c, where)[0]
        cv2.multiply(self._a, self._a, self._a)
        cv2.multiply(self._b, self._b, self._b)
        now, before = cv2.mean(self._a, where)[0], cv2.mean(self._b, where)[0]
        blocks = max(1, cv2.countNonZero(where))  # few blocks may be alike by chance
        alike = both > (n.LIGHT_LIKENESS + 1 / math.sqrt(blocks)) * math.sqrt(now * before)
        return alike and now < n.LIGHT_TEXTURE * before and before > n.LIGHT_LEAST**2

    def _say(self, score: float, why: Why) -> MotionResult:
        visit, last = self._visit, self._answer
        box: Box | None = None
        if not visit.here and not last.motion and last.why is why and last.score == score:
            return last
        if visit.here:
            x, y, width, height = cv2.boundingRect(visit.region)
            px = self._block_px
            box = (x * px, y * px, max(1, width) * px, max(1, height) * px)
        began_ms = visit.began_s * 1000 if visit.here else 0.0
        self._answer = MotionResult(score, motion=visit.here, box=box, why=why, began_ms=began_ms)
        return self._answer


def _zone_plane(shape: tuple[int, int], zones: tuple[Zone, ...]) -> Plane:
    """1 in every block whose centre lies in a zone (or everywhere), else 0."""
    if not zones:
        return np.ones(shape, np.float32)
    fine = 8
    mask = np.zeros((shape[0] * fine, shape[1] * fine), np.uint8)
    extent = np.array([shape[1] * fine, shape[0] * fine], np.float64)
    for zone in zones:
        cv2.fillPoly(mask, [np.rint(np.array(zone, np.float64) * extent).astype(np.int32)], 1)
    small = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small >= 0.5, np.float32)  # noqa: PLR2004 - at least half of the block
