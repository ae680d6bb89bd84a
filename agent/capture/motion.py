"""What moves in the picture: one small luma plane in, one answer out.

Rules of this room: pure; every array is made once. The full frame is read once, by the first halving; all else
happens on some forty by thirty blocks. `motion_light` takes out what happened to the whole picture,
`motion_background` knows each block and its restlessness, `motion_texture` whether it is still to be seen,
`motion_evidence` gathers what is left, `motion_candidate` says when to believe it, `motion_passer` sees what has
gone before that, `motion_visit` follows what has been believed; this module asks them in turn. `motion_numbers`
gives every constant and its reason; docs/design/motion.md the why.
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
from agent.capture.motion_candidate import Candidate
from agent.capture.motion_evidence import Evidence
from agent.capture.motion_passer import Passer
from agent.capture.motion_planes import CROSS, Plane, above, at_least
from agent.capture.motion_texture import Texture
from agent.capture.motion_visit import Visit

Luma = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
Zone = tuple[tuple[float, float], ...]

_DEFAULT_SENSITIVITY = 5
_PER_STEP = 1.25
_SMALLEST = 16
_LOOK_MS = n.LOOK_S * 1000 - 1e-6


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
        self._texture = Texture(shape)
        self._minimum_blocks = chosen.minimum_area * self._blocks
        self._passer = Passer(shape, self._texture, minimum_blocks=self._minimum_blocks)
        self._mask = np.zeros(shape, np.uint8)
        self._a = np.zeros(shape, np.float32)
        self._last_ms: float | None = None
        self._next_ms = -math.inf
        self._model_s = self._learn_until_s = self._gathered_s = self._busy_s = 0.0
        self._first = True
        self._soft_seen = False
        self._rests = False  # nobody is there, nothing is gathered, and the last answer says so
        self._shy: Luma | None = None
        self._shy_mask, self._inside = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        self._exceeding = 0.0
        self._candidate = Candidate(self._blocks)
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
            self._candidate.start(now_s)
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
        if now_s < self._learn_until_s or (self._first and self._seen.learned < n.LEARN_LOOKS):
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
            np.bitwise_or(visit.around, evidence.near, out=self._shy_mask)
        else:
            np.copyto(self._shy_mask, evidence.near)
        near = cv2.countNonZero(self._shy_mask)
        self._shy = self._shy_mask if 0 < near * 2 < self._blocks else None

    def _restart(self, now_s: float, learn_s: float) -> None:
        self._seen.restart(self._small)
        self._evidence.forget()
        self._learn_until_s = now_s + learn_s
        self._model_s = self._gathered_s = now_s
        self._candidate.drop()

    def _decide(self, now_s: float, elapsed_s: float, *, exceeds: bool) -> MotionResult:
        seen, evidence, visit = self._seen, self._evidence, self._visit
        if not exceeds and not visit.here and evidence.peak < n.EVIDENCE_ON / 4:
            evidence.rest(elapsed_s)
            self._shy = None
            self._candidate.drop()
            self._exceeding = 0.0
            self._gathered_s = now_s
            self._model(now_s)
            self._rests = True
            return self._say(0.0, Why.STILL)
        gap_s = now_s - self._gathered_s
        passes = not visit.here and self._passer.passes(seen, self._small, now_s)
        must_wait = gap_s < (n.THINK_IN_VISIT_S if visit.here else n.THINK_S) - 1e-6 and not visit.has_left(seen)
        if must_wait and not passes:
            return self._answer
        self._gathered_s = now_s
        covered = self._covered()
        if covered is None and self._is_sudden_light():
            self._restart(now_s, n.RELEARN_S)
            return self._say(0.0, Why.LIGHT)
        if passes:
            visit.begin(seen, min(self._passer.since_s, self._candidate.since_s or now_s))
        evidence.gather(seen, gap_s, visit.contrast, covered)
        self._soft_seen = True
        why = self._believe(now_s, gap_s)
        if visit.here and visit.blocks() >= n.LIGHT_REGION and self._is_light(visit.region):
            visit.end()
            evidence.forget()
            self._candidate.drop()
            why = Why.LIGHT
        self._stay_shy()
        self._model(now_s)
        least = 1.0 if self._passer.believed_s == now_s else 0.0  # believed without evidence
        return self._say(max(least, evidence.peak / n.EVIDENCE_ON), why)

    def _covered(self) -> Luma | None:
        """Where something large covers the background's texture, so that its smooth inside is no light."""
        above(self._seen.ratio, n.COVERED_RATIO, self._mask)
        if cv2.countNonZero(self._mask) < n.COVERED_FRACTION * self._blocks:
            return None
        at_least(self._small, n.WHITE_BACKGROUND, self._inside)
        cv2.subtract(self._mask, self._inside, self._mask)
        if cv2.countNonZero(self._mask) < n.COVERED_FRACTION * self._blocks:
            return None
        cv2.erode(self._mask, CROSS, self._inside)  # its own edges are texture, too
        covered = self._texture.is_covered(self._small, self._seen.mean, self._inside)
        return self._mask if covered else None

    def _is_sudden_light(self) -> bool:
        seen = self._seen
        np.minimum(seen.size, seen.change, out=self._a)
        cv2.compare(self._a, seen.threshold, cv2.CMP_GT, self._mask)
        before, self._exceeding = self._exceeding, cv2.countNonZero(self._mask) / self._blocks
        sudden = self._exceeding > n.LIGHT_FRACTION and before < n.LIGHT_JUMP
        return sudden and self._is_light(self._mask)

    def _believe(self, now_s: float, elapsed_s: float) -> Why:
        """Follow the candidate, begin, move, hold or end the visit, and say why."""
        evidence, visit, candidate = self._evidence, self._visit, self._candidate
        travels = candidate.follow(evidence, now_s, elapsed_s)
        area = evidence.outline(self._seen)
        large_enough = area >= self._minimum_blocks
        if evidence.peak >= n.EVIDENCE_ON and large_enough:
            if not visit.here and candidate.lasts(evidence, now_s, elapsed_s, area, travels=travels):
                if area >= n.LIGHT_BEGIN and self._is_light(evidence.region):
                    return Why.LIGHT
                visit.begin(self._seen, candidate.since_s or now_s)
            if visit.here and visit.move(self._seen, evidence, now_s, elapsed_s, travels=travels):
                return Why.MOTION
        if visit.here:
            # while it hurries, that is: who has not left where he was is looked at too seldom to be still passing
            if self._passer.passes(self._seen, self._small, now_s):
                visit.pass_by(self._seen, evidence, self._passer.region, now_s, elapsed_s)
                return Why.MOTION
            state = visit.wait(self._seen, evidence, self._small, now_s, elapsed_s)
            if state != "gone":
                return Why.STANDING if state == "stands" else Why.MOTION
            candidate.drop()
        return self._why_not(large_enough=large_enough)

    def _why_not(self, *, large_enough: bool) -> Why:
        evidence = self._evidence
        if self._candidate.since_s is not None:
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
            np.bitwise_or(shy, visit.guard, out=shy)
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
        return self._texture.is_light(self._small, self._seen.mean, where)

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
