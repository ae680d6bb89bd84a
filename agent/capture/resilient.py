"""A source that is always there: opens it, notices when it freezes, starts it again with back-off.

Never raises for the world's trouble: `read` gives None while there is no picture, and `fault` says why. A camera
that comes back is a new stream: `generation` rises, and there is a true gap in the stamps.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from agent.capture.source import FrameCount, Moment, Source, StreamInfo
from agent.core.clock import Clock
from agent.core.errors import TroubleError
from agent.core.jitter import full_jitter_s

_NS = 1_000_000_000
FROZEN_AFTER_S = 4.0  # so that it is noticed, told and restarted within five
LOW_S, HIGH_S = 0.5, 60.0
STEADY_AFTER_S = 60.0  # after that long without trouble the next one is a first one


@dataclass(slots=True)
class Backoff:
    """When a camera may be opened next. Pure.

    Attributes:
        attempt: openings since it was last steady.
    """

    delay_s: Callable[[int], float]
    attempt: int = 0
    next_ns: int = 0
    _opened_ns: int | None = None

    def opened(self, now_ns: int) -> None:
        """The camera gives pictures."""
        self._opened_ns = now_ns

    def failed(self, now_ns: int) -> None:
        """The camera could not be opened, or broke."""
        if self._opened_ns is not None and now_ns - self._opened_ns >= STEADY_AFTER_S * _NS:
            self.attempt = 0
        self._opened_ns = None
        self.next_ns = now_ns + round(self.delay_s(self.attempt) * _NS)
        self.attempt += 1


def _delay_s(attempt: int) -> float:
    return full_jitter_s(attempt, low_s=LOW_S, high_s=HIGH_S)


class Resilient:
    """Keeps a source going.

    Attributes:
        info: of the stream that runs; None while there is none.
        generation: how many streams there have been; packets of two generations never mix.
        fault: what is wrong now; None while pictures come.
        ended: a file that doesn't loop is over, and nothing more will come.

    Args:
        source: what to keep going; used by the one thread that calls `read`.
        clock: for durations.
        delay_s: the delay before retry number n, from 0.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        source: Source,
        clock: Clock,
        *,
        delay_s: Callable[[int], float] = _delay_s,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source, self._clock, self._sleep = source, clock, sleep
        self._backoff = Backoff(delay_s)
        self._seen_ns = 0
        self.info: StreamInfo | None = None
        self.generation = 0
        self.fault: TroubleError | None = None
        self.ended = False

    @property
    def count(self) -> FrameCount:
        """Frames in, out and dropped, over all restarts."""
        return self._source.count

    def read(self, timeout_s: float) -> Moment | None:
        """Wait up to `timeout_s` for the next frame; None when there is none, and `fault` says why if that is one.

        Opening a camera may take longer, up to twelve seconds.
        """
        if self.info is None and not self._try_open(timeout_s):
            return None
        try:
            moment = self._source.read(timeout_s)
        except TroubleError as trouble:
            self._missed(trouble)
            return None
        self._seen_ns = self._clock.boot_ns()
        self.fault = None
        return moment

    def close(self) -> None:
        """Stop the camera; a later `read` opens it again."""
        self.info = None
        self._source.close()

    def _try_open(self, timeout_s: float) -> bool:
        left_s = timeout_s if self.ended else (self._backoff.next_ns - self._clock.boot_ns()) / _NS
        if left_s > 0:
            self._sleep(min(left_s, timeout_s))
        if self.ended or left_s > timeout_s:
            return False
        try:
            self.info = self._source.open()
        except TroubleError as trouble:
            self.fault = trouble
            self._backoff.failed(self._clock.boot_ns())
            return False
        self.generation += 1
        self._seen_ns = self._clock.boot_ns()
        self._backoff.opened(self._seen_ns)
        return True

    def _missed(self, trouble: TroubleError) -> None:
        now_ns = self._clock.boot_ns()
        if trouble.code == "not-due":
            self._seen_ns = now_ns
            return
        if trouble.code == "camera-frozen" and now_ns - self._seen_ns < FROZEN_AFTER_S * _NS:
            return
        self.fault = trouble
        self.ended = trouble.code == "camera-ended"
        self.close()
        self._backoff.failed(now_ns)
