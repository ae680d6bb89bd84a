"""Contacts and the lamp on the board's pins, through gpiozero: edges in, gestures out.

Everything that is deliberate or not is decided by `button.Button`; this file only carries edges to it, wakes up
when it has a deadline, and lights the lamp. gpiozero calls back from its own thread and the worker here is
another, so the machine is only touched under the lock. Gestures wait in a bounded queue for the worker; what
doesn't fit is counted and dropped, because a person does not press sixteen times in the time of one answer.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from agent.consent.button import Button, Gesture, Pattern, Timing
from agent.core.errors import TroubleError

log = logging.getLogger(__name__)

MAX_WAITING: Final = 16
_NS: Final = 10**9


def _gpiozero() -> Any:  # noqa: ANN401 - gpiozero has no types
    try:
        import gpiozero  # noqa: PLC0415 - only boards with pins have it: the extra [pi]
    except ImportError as exc:
        text = "a pin is configured and gpiozero is not installed: apt install python3-gpiozero python3-lgpio"
        raise TroubleError("button", text) from exc
    return gpiozero


def _open(kind: str, pin: int, **options: object) -> Any:  # noqa: ANN401 - gpiozero has no types
    gpiozero = _gpiozero()
    try:
        return getattr(gpiozero, kind)(pin, **options)
    except (gpiozero.GPIOZeroError, OSError, ValueError) as exc:
        raise TroubleError("button", f"pin {pin} can't be used ({exc}): check the wiring and the number") from exc


class GpioContact:
    """One contact between a pin and ground.

    Args:
        pin: the pin's number as gpiozero counts it (BCM).
        timing: `button.INDOOR` or `button.BELL`.
        boot_ns: boot time.
        on_gesture: called from a thread of this contact, one gesture at a time. What it raises is logged and
            costs that one gesture.
        factory: gpiozero's pin factory; None for the board's own.

    Raises:
        TroubleError: button, when there is no such pin or no gpiozero.
    """

    def __init__(
        self,
        pin: int,
        timing: Timing,
        *,
        boot_ns: Callable[[], int],
        on_gesture: Callable[[Gesture], None],
        factory: object = None,
    ) -> None:
        self._boot_ns = boot_ns
        self._on_gesture = on_gesture
        self._changed = threading.Condition()
        self._waiting: deque[Gesture] = deque()
        self._stopped = False
        self.dropped = 0
        self._device = _open("DigitalInputDevice", pin, pull_up=True, pin_factory=factory)
        self._button = Button(timing, starts_closed=bool(self._device.is_active))
        self._device.when_activated = lambda: self._edge(closed=True)
        self._device.when_deactivated = lambda: self._edge(closed=False)
        self._worker = threading.Thread(target=self._work, name=f"contact-{pin}", daemon=True)
        self._worker.start()

    def _edge(self, *, closed: bool) -> None:
        with self._changed:
            self._queue(self._button.edge(closed=closed, now_ns=self._boot_ns()))
            self._changed.notify()

    def _queue(self, gestures: tuple[Gesture, ...]) -> None:
        for gesture in gestures:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(gesture)
            else:
                self.dropped += 1

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                self._queue(self._button.tick(self._boot_ns()))
                if not self._waiting:
                    deadline_ns = self._button.deadline_ns()
                    left_s = None if deadline_ns is None else max(0, deadline_ns - self._boot_ns()) / _NS
                    self._changed.wait(left_s)
                    continue
                gesture = self._waiting.popleft()
            try:
                self._on_gesture(gesture)
            except Exception:  # whatever it was: the next press may be the one that has to stop an upload
                log.exception("a gesture at the pin was lost")

    def close(self) -> None:
        """Stop listening; no gesture is reported afterwards."""
        self._device.close()
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if threading.current_thread() is not self._worker:
            self._worker.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class GpioLamp:
    """The indoor lamp.

    Args:
        pin: the pin's number as gpiozero counts it (BCM).
        factory: gpiozero's pin factory; None for the board's own.

    Attributes:
        shown: how it lights now; None before the first `show`.

    Raises:
        TroubleError: button, when there is no such pin or no gpiozero.
    """

    def __init__(self, pin: int, *, factory: object = None) -> None:
        self._device = _open("LED", pin, pin_factory=factory)
        self.shown: Pattern | None = None

    def show(self, pattern: Pattern) -> None:
        """Light the lamp that way; the same pattern again changes nothing."""
        if pattern is self.shown:
            return
        self.shown = pattern
        on_ms, off_ms = pattern.beat_ms
        if on_ms == 0:
            self._device.off()
        elif off_ms == 0:
            self._device.on()
        else:
            self._device.blink(on_ms / 1000, off_ms / 1000)

    def close(self) -> None:
        """Turn the lamp off and give the pin back."""
        self._device.close()
