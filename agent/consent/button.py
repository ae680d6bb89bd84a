"""The indoor button and its lamp, as a machine over edges of one contact (protocol sections 10 and 11).

Edges come in with their boot time, gestures come out. A contact that bounces makes many edges: only a level that
stood for `debounce_ns` counts. A press is deliberate: closed for at least `press_ns`, then let go. A hold is
reported once, while the button is still down, and is no press afterwards. The visitor's bell is the same machine
with other times: it rings as soon as the contact is closed for good.

What a gesture means depends on what waits (`meaning`), and the lamp shows exactly that (`pattern`), so that a
press never does what the lamp did not say. Where a press could stop one request and confirm another, it stops:
a button never releases more while something is in its grace time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from agent.consent.states import State
from agent.core.errors import BugError
from agent.core.ids import Id

_MS: Final = 10**6


class Gesture(Enum):
    """What a person did."""

    PRESS = auto()
    HOLD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long is deliberate, in nanoseconds of boot time.

    Attributes:
        debounce_ns: a level that stands this long is real.
        press_ns: closed at least this long, it is a press.
        hold_ns: closed this long, it is a hold; None: there are no holds.
        on_closing: report the press when it is long enough, not when it ends.
    """

    debounce_ns: int
    press_ns: int
    hold_ns: int | None
    on_closing: bool = False


#: The indoor button: a brush against it is nothing, five seconds open a pairing window.
INDOOR: Final = Timing(debounce_ns=30 * _MS, press_ns=100 * _MS, hold_ns=5_000 * _MS)
#: The visitor's bell: rings at once, and a long push is one ring.
BELL: Final = Timing(debounce_ns=30 * _MS, press_ns=30 * _MS, hold_ns=None, on_closing=True)


class Button:
    """One contact. `edge` and `tick` return the gestures that became certain, oldest first.

    Call `tick` at the boot time that `deadline_ns` names, where it names one.
    """

    def __init__(self, timing: Timing, *, starts_closed: bool = False) -> None:
        self._timing = timing
        self._raw = starts_closed  # the contact, as last seen
        self._raw_since_ns = 0
        # Set while a debounced closing lasts.
        self._closed_since_ns: int | None = 0 if starts_closed else None
        # This closing was reported already. A contact that is closed at the start is stuck, not pressed.
        self._reported = starts_closed
        self._last_ns = 0

    def edge(self, *, closed: bool, now_ns: int) -> tuple[Gesture, ...]:
        """Take a change of the contact; the same level again is no edge.

        Raises:
            BugError: boot time went back.
        """
        gestures = self.tick(now_ns)
        if closed != self._raw:
            self._raw, self._raw_since_ns = closed, now_ns
        return gestures

    def tick(self, now_ns: int) -> tuple[Gesture, ...]:
        """Let time pass.

        Raises:
            BugError: boot time went back.
        """
        if now_ns < self._last_ns:
            raise BugError("boot time does not go back")
        self._last_ns = now_ns
        stood_ns = now_ns - self._raw_since_ns
        gestures: tuple[Gesture, ...] = ()
        if self._closed_since_ns is None and self._raw and stood_ns >= self._timing.debounce_ns:
            self._closed_since_ns, self._reported = self._raw_since_ns, False
        if self._closed_since_ns is not None:
            gestures = self._while_closed(self._closed_since_ns, now_ns)
            if not self._raw and stood_ns >= self._timing.debounce_ns:
                self._closed_since_ns = None
        return gestures

    def _while_closed(self, since_ns: int, now_ns: int) -> tuple[Gesture, ...]:
        timing = self._timing
        closed_ns = (now_ns if self._raw else self._raw_since_ns) - since_ns
        let_go = not self._raw and now_ns - self._raw_since_ns >= timing.debounce_ns
        if self._reported:
            return ()
        if timing.hold_ns is not None and closed_ns >= timing.hold_ns:
            self._reported = True
            return (Gesture.HOLD,)
        if closed_ns >= timing.press_ns and (let_go or timing.on_closing):
            self._reported = True
            return (Gesture.PRESS,)
        return ()

    def deadline_ns(self) -> int | None:
        """Return the boot time at which something becomes certain without an edge, or None."""
        timing = self._timing
        if self._closed_since_ns is None:
            return self._raw_since_ns + timing.debounce_ns if self._raw else None
        if not self._raw:
            return self._raw_since_ns + timing.debounce_ns
        if self._reported:
            return None
        wanted_ns = timing.press_ns if timing.on_closing else timing.hold_ns
        return None if wanted_ns is None else self._closed_since_ns + wanted_ns


class Meaning(Enum):
    """What a gesture does."""

    STOP = auto()
    CONFIRM = auto()
    OPEN_PAIRING = auto()


@dataclass(frozen=True, slots=True)
class Order:
    """What to do, to which requests."""

    meaning: Meaning
    requests: tuple[Id, ...] = ()


def meaning(gesture: Gesture, waiting: Mapping[Id, State]) -> Order | None:
    """Return what a gesture of the indoor button does now; None: nothing.

    Args:
        gesture: what a person did.
        waiting: requests with their states, the one that waits longest first.
    """
    if gesture is Gesture.HOLD:
        return Order(Meaning.OPEN_PAIRING)
    in_grace = tuple(name for name, state in waiting.items() if state is State.GRACE)
    if in_grace:
        return Order(Meaning.STOP, in_grace)
    confirming = tuple(name for name, state in waiting.items() if state is State.CONFIRMING)
    return Order(Meaning.CONFIRM, confirming[:1]) if confirming else None


class Pattern(Enum):
    """How the lamp lights; each says what a press would do now."""

    DARK = auto()
    GLOW = auto()  # something waits for the owner's answer; a press does nothing
    BLINK = auto()  # a press confirms
    FLASH = auto()  # footage is about to leave; a press stops it
    PAIRING = auto()  # a pairing window is open

    @property
    def beat_ms(self) -> tuple[int, int]:
        """On and off time of one beat, milliseconds; (0, 0) is always dark, (1, 0) always lit."""
        return _BEATS[self]


_BEATS: Final = {
    Pattern.DARK: (0, 0),
    Pattern.GLOW: (1, 0),
    Pattern.BLINK: (500, 500),
    Pattern.FLASH: (125, 125),
    Pattern.PAIRING: (100, 900),
}


def pattern(waiting: Mapping[Id, State], *, is_pairing: bool, is_quiet: bool) -> Pattern:
    """Return how the lamp lights now.

    Quiet hours darken only the lamp of a request that waits: what a press would do is always shown.
    """
    order = meaning(Gesture.PRESS, waiting)
    if order is not None:
        return Pattern.FLASH if order.meaning is Meaning.STOP else Pattern.BLINK
    if is_pairing:
        return Pattern.PAIRING
    asks = any(state is State.PENDING for state in waiting.values())
    return Pattern.GLOW if asks and not is_quiet else Pattern.DARK
