"""Who might be there: evidence that has not been believed yet, and when it is.

Rules of this room: pure. Insects and reflections are gone soon, leaves come back to where they were: a candidate
must last, and enter blocks where nothing was, or last longer. When the kernel has just started it must amount to
more and last longer, as a branch needs seconds to swing to and fro. Where looks are rare, strong evidence will do.
"""

from agent.capture import motion_numbers as n
from agent.capture.motion_evidence import Evidence


class Candidate:
    """The candidate of one camera; `since_s` is when its evidence was first seen, None when there is none."""

    def __init__(self, blocks: int) -> None:
        self.since_s: float | None = None
        self._large = n.LARGE_FRACTION * blocks
        self._started_s = self._lost_s = 0.0
        self._entered, self._began_with = 0, 0

    def start(self, now_s: float) -> None:
        """The kernel sees its first frame."""
        self._started_s = now_s

    def drop(self) -> None:
        """Nobody might be there any more."""
        self.since_s = None

    def follow(self, evidence: Evidence, now_s: float, elapsed_s: float) -> bool:
        """Take one frame's evidence; return whether the candidate travels."""
        active, fresh = evidence.travel(elapsed_s)
        if evidence.peak > n.EVIDENCE_LOW * n.EVIDENCE_ON:
            if self.since_s is None:
                self.since_s, self._entered, self._began_with = now_s, 0, 0
            if now_s - self.since_s <= n.FRESH_AFTER_S:
                self._began_with = max(self._began_with, active)
            else:
                self._entered += fresh
            self._lost_s = now_s
        elif self.since_s is not None and now_s - self._lost_s > n.LOST_S:
            self.since_s = None
        return self.since_s is not None and self._entered >= n.FRESH_FRACTION * self._began_with + n.FRESH_BLOCKS

    def lasts(self, evidence: Evidence, now_s: float, elapsed_s: float, area: int, *, travels: bool) -> bool:
        """Whether the candidate, of `area` blocks, is to be believed now."""
        if self.since_s is None:
            return False
        young = max(0.0, 1 - (now_s - self._started_s) / n.YOUNG_S)
        if evidence.peak < n.EVIDENCE_ON * (1 + n.YOUNG * young):
            return False
        if elapsed_s >= n.SELDOM_S and evidence.peak >= n.SELDOM_ON:
            return True
        age_s = min(now_s - self.since_s, evidence.age_s)
        brief_s = n.BRIEF_LARGE_S if area >= self._large else n.BRIEF_S + n.YOUNG_BRIEF_S * young
        return age_s >= n.PATIENCE_S or (travels and age_s >= brief_s)
