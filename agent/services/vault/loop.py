"""The vault's one thread: callables come in, timers fall due, and everything runs one after the other.

The world's trouble ends nothing here: a full disk undid the one transaction, is told, and a timer that met it is
tried again. Our own bugs do end it, and the process starts anew from what is durable; but not where a peer's words
met one (`reasons.bug_met`), so that no message that comes again with each start can keep the doorbell down.
"""

import heapq
import itertools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from agent.core.clock import Clock
from agent.core.errors import RefusedError, TroubleError
from agent.services.vault.database import translated

MAX_POSTED: Final = 4_096
PUT_S: Final = 30.0
AGAIN_S: Final = 10.0  # after this a timer that met trouble is tried again
_LONGEST_WAIT_S: Final = 1.0  # boot time runs on while the machine sleeps; a look each second keeps timers true
_NS: Final = 1_000_000_000


@dataclass(order=True, slots=True)
class Timer:
    """A callable that waits for its boot time; `once`: nothing else brings it back if it meets trouble."""

    due_ns: int
    order: int
    action: Callable[[], None] | None = field(compare=False)
    once: bool = field(compare=False, default=True)

    def cancel(self) -> None:
        """Never run it."""
        self.action = None


class Loop:
    """Runs what is posted, in order, on the thread that calls `run`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue(MAX_POSTED)
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._stopped = threading.Event()
        self._on_trouble: Callable[[TroubleError | RefusedError], None] = lambda _: None

    def on_trouble(self, action: Callable[[TroubleError | RefusedError], None]) -> None:
        """Tell `action` what a timer or a posted callable met."""
        self._on_trouble = action

    def post(self, action: Callable[[], None]) -> None:
        """Run `action` soon; from any thread.

        Raises:
            TroubleError: busy, when too much waits already.
        """
        try:
            self._queue.put_nowait(action)
        except queue.Full as exc:
            raise TroubleError("busy", "the vault has too much to do; try again") from exc

    def put(self, action: Callable[[], None]) -> None:
        """Run `action` soon, and wait for room if need be; for what must not be lost. Not from the loop's thread.

        Raises:
            TroubleError: busy, when the vault hangs.
        """
        try:
            self._queue.put(action, timeout=PUT_S)
        except queue.Full as exc:
            raise TroubleError("busy", "the vault has too much to do; try again") from exc

    def at(self, due_ns: int, action: Callable[[], None]) -> Timer:
        """Run `action` when boot time reaches `due_ns`; only from the loop's thread, or before it runs."""
        timer = Timer(due_ns, next(self._order), action)
        heapq.heappush(self._timers, timer)
        return timer

    def after(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Run `action` after a delay."""
        return self.at(self._clock.boot_ns() + int(delay_s * _NS), action)

    def every(self, period_s: float, action: Callable[[], None]) -> None:
        """Run `action` again and again, first after one period."""

        def again() -> None:
            self.after(period_s, again).once = False
            action()

        self.after(period_s, again).once = False

    def run(self) -> None:
        """Run until `stop`."""
        while not self._stopped.is_set():
            self.step(self._wait_s())

    def step(self, wait_s: float) -> None:
        """Run what is due and at most one posted callable, waiting up to `wait_s` for it."""
        self._run_due()
        try:
            action = self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            return
        self._goes_well(action)

    def stop(self) -> None:
        """End `run` after what it is doing; from any thread or a signal handler."""
        self._stopped.set()

    def _wait_s(self) -> float:
        if not self._timers:
            return _LONGEST_WAIT_S
        return min(_LONGEST_WAIT_S, max(0.0, (self._timers[0].due_ns - self._clock.boot_ns()) / _NS))

    def _run_due(self) -> None:
        now_ns = self._clock.boot_ns()
        while self._timers and self._timers[0].due_ns <= now_ns:
            timer = heapq.heappop(self._timers)
            if timer.action is not None and not self._goes_well(timer.action) and timer.once:
                timer.due_ns = self._clock.boot_ns() + int(AGAIN_S * _NS)
                heapq.heappush(self._timers, timer)  # the same one: who holds it can still cancel it

    def _goes_well(self, action: Callable[[], None]) -> bool:
        """Run it; False when the world's trouble stopped it. What is refused is over and needs no second try."""
        try:
            with translated("the vault's database"):
                action()
        except RefusedError as refused:
            self._on_trouble(refused)
        except TroubleError as trouble:
            self._on_trouble(trouble)
            return False
        return True
