"""When to record: motion and presses in, start, stop and split out.

Rules of this room: pure. Time arrives with each frame (CLOCK_BOOTTIME, nanoseconds) and is never read here. One
call per frame, at most one effect per call. The kernel says what moves; only this module says what is kept.

- A clip starts when motion has lasted `confirm_s`, or at once with a press. It reaches
  back `pre_roll_s` before the *first* frame of that motion, not before the moment it was believed.
- It stops `post_roll_s` after the last motion or press.
- `max_clip_s` and a new visitor after `event_gap_s` of quiet split it: the next clip takes over at that frame
  and no frame is lost between the two.
- Time that runs backwards is a bug of the caller; a gap in time (lost frames) just ends what it outlasts.
"""

from dataclasses import dataclass
from typing import Literal

from agent.core.errors import BugError

Cause = Literal["motion", "press"]
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """How long before, after and at most, in seconds (`[clips]` in the configuration).

    `event_gap_s` parts two visitors whose visits are closer than the post-roll; 0 turns that off.
    """

    pre_roll_s: float = 6.0
    post_roll_s: float = 8.0
    max_clip_s: float = 120.0
    event_gap_s: float = 5.0
    confirm_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a clip with the last key frame at or before `from_ns`; it may lie before anything still kept."""

    trigger: Cause
    from_ns: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End the clip after the last frame whose capture time is at or before `at_ns`."""

    at_ns: int


@dataclass(frozen=True, slots=True)
class Split:
    """End the clip and begin the next one with the first key frame at or after `at_ns`, without a gap.

    `trigger` is the cause of the next clip.
    """

    at_ns: int
    trigger: Cause


Effect = Start | Stop | Split


class Trigger:
    """Turns per-frame answers into clips; see the module's rules.

    `step` costs a few comparisons and allocates nothing unless it returns an effect.
    """

    def __init__(self, settings: TriggerSettings | None = None) -> None:
        chosen = settings or TriggerSettings()
        self._pre_ns = round(chosen.pre_roll_s * _NS)
        self._post_ns = round(chosen.post_roll_s * _NS)
        self._max_ns = round(chosen.max_clip_s * _NS)
        self._gap_ns = round(chosen.event_gap_s * _NS)
        self._confirm_ns = round(chosen.confirm_s * _NS)
        self._now_ns: int | None = None
        self._run_ns: int | None = None  # first frame of the motion that is still going on
        self._cause: Cause = "motion"
        self._waiting = False  # a press that came on the very frame that had to stop a clip
        self._clip_ns: int | None = None  # first frame of the clip now being recorded
        self._last_ns = 0  # last frame that gave a reason to record

    @property
    def recording(self) -> bool:
        """Whether a clip is open."""
        return self._clip_ns is not None

    def step(
        self,
        capture_ns: int,
        motion: bool,  # noqa: FBT001 - the kernel's answer, not a switch
        *,
        press: bool = False,
    ) -> Effect | None:
        """Take one frame's answer and return what to do, if anything.

        Args:
            capture_ns: boot time of the frame; must not decrease.
            motion: the kernel's answer for this frame.
            press: the visitor pressed the bell since the last frame.

        Raises:
            BugError: `capture_ns` lies before the previous frame's.
        """
        if self._now_ns is not None and capture_ns < self._now_ns:
            raise BugError("a frame's capture time lies before the previous frame's")
        self._now_ns = capture_ns
        if self._clip_ns is None and not motion and not press and not self._waiting:  # nearly always
            self._run_ns = None
            return None
        if not motion:
            self._run_ns = None
        elif self._run_ns is None:
            self._run_ns = capture_ns
        pressed, self._waiting = press or self._waiting, False
        if self._clip_ns is None:
            return self._idle(capture_ns, pressed=pressed)
        return self._running(capture_ns, self._clip_ns, pressed=pressed)

    def close(self) -> Stop | None:
        """End the open clip at the last frame seen: the camera has gone or the recorder shuts down."""
        if self._clip_ns is None or self._now_ns is None:
            return None
        self._clip_ns = self._run_ns = None
        self._waiting = False
        return Stop(self._now_ns)

    def _idle(self, now_ns: int, *, pressed: bool) -> Start | None:
        begin_ns = self._run_ns
        confirmed = begin_ns is not None and now_ns - begin_ns >= self._confirm_ns
        if not pressed and not confirmed:
            return None
        self._cause = "press" if pressed else "motion"
        self._last_ns = now_ns
        self._clip_ns = (now_ns if begin_ns is None else begin_ns) - self._pre_ns
        return Start(self._cause, self._clip_ns)

    def _running(self, now_ns: int, clip_ns: int, *, pressed: bool) -> Stop | Split | None:
        quiet_ns = now_ns - self._last_ns
        active = pressed or self._run_ns is not None
        if quiet_ns >= self._post_ns and not (active and quiet_ns == self._post_ns):
            self._clip_ns = None
            self._waiting = pressed
            return Stop(self._last_ns + self._post_ns)
        if active:
            self._last_ns = now_ns
        visitor = active and 0 < self._gap_ns <= quiet_ns
        if visitor or now_ns - clip_ns >= self._max_ns:
            self._cause = "press" if pressed else "motion" if visitor else self._cause
            self._clip_ns = now_ns
            return Split(now_ns, self._cause)
        return None
