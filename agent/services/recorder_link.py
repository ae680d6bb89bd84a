"""The recorder's end of its socket to the vault, in a thread of its own. The camera does not depend on it.

While the vault is away the ids of sealed segments wait here, bounded; it finds what was forgotten by looking
into the folder when it starts. Status is told when it changes, and now and then.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from agent.core.clock import Clock
from agent.core.errors import RefusedError, TroubleError
from agent.core.ids import Id
from agent.core.jitter import full_jitter_s
from agent.core.strict_json import Json
from agent.services.wire import Link, Message

log = logging.getLogger(__name__)

MAX_WAITING_IDS: Final = 10_000
RETRY_LOW_S: Final = 0.2
RETRY_HIGH_S: Final = 10.0
TICK_S: Final = 1.0
REFRESH_TICKS: Final = 15
STEADY_FIELDS: Final = ("recording", "faults", "dropped")  # a change in one of these is told at once


class VaultLink:
    """Tells the vault what was sealed and how it goes, and hears of presses.

    Args:
        path: `run_dir/recorder.sock`.
        clock: for the boot's id.
        status: makes the arguments of `status`; called in this thread, about once a second.
        on_press: called when a visitor has pressed the bell.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        status: Callable[[], dict[str, Json]],
        on_press: Callable[[], None],
    ) -> None:
        self._path = path
        self._clock = clock
        self._status = status
        self._on_press = on_press
        self._waiting: deque[Id] = deque(maxlen=MAX_WAITING_IDS)
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="vault-link", daemon=True)
        self.is_up = False

    def start(self, sealed_before: Iterable[Id] = ()) -> None:
        """Start the thread; `sealed_before` are segments that the vault may not have heard of."""
        self._waiting.extend(sealed_before)
        self._thread.start()

    def sealed(self, id_: Id) -> None:
        """Note that a segment is durably there. Never waits."""
        self._waiting.append(id_)
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Tell what is still to be told, if the vault is there, and end."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        attempt, said = 0, False
        while True:
            try:
                link = Link.connect(self._path, self._on_call)
                try:
                    link.call("hello", {"boot": self._clock.boot_id()})
                    self.is_up, attempt, said = True, 0, False
                    self._serve(link)
                finally:
                    self.is_up = False
                    link.close()
            except (TroubleError, RefusedError) as exc:
                if not said:
                    log.warning("recorder: %s", exc)
                said = True
            if self._stopping:
                return
            self._wait(full_jitter_s(attempt, low_s=RETRY_LOW_S, high_s=RETRY_HIGH_S))
            attempt += 1

    def _wait(self, timeout_s: float) -> None:
        """Wait, woken only by `close`: a sealed segment is no reason to knock again."""
        if not self._stopping:
            self._wake.clear()
            self._wake.wait(timeout_s)

    def _serve(self, link: Link) -> None:
        told: dict[str, Json] | None = None
        ticks = 0
        while not link.closed:
            self._wake.clear()
            while self._waiting:
                self._tell_sealed(link, self._waiting[0])
                self._waiting.popleft()
            status = self._status()
            if told is None or ticks >= REFRESH_TICKS or any(told[name] != status[name] for name in STEADY_FIELDS):
                link.tell("status", status)
                told, ticks = status, 0
            if self._stopping:
                return
            self._wake.wait(TICK_S)
            ticks += 1

    def _tell_sealed(self, link: Link, id_: Id) -> None:
        try:
            link.call("sealed", {"id": id_})
        except (RefusedError, TroubleError) as exc:
            if isinstance(exc, TroubleError) and exc.code != "bug":  # that one would meet the same bug each time
                raise
            log.warning("recorder: the vault does not take segment %s: %s", id_, exc)

    def _on_call(self, verb: str, message: Message) -> Message:
        message.close()
        if verb != "press":
            raise RefusedError("verb", "the recorder knows press only")
        self._on_press()
        return Message()
