"""Keeps one connection to the broker up and brings what arrives into the inbox (protocol section 5).

Its own thread connects, subscribes, reads and reconnects with full jitter. Only changes of the broker's state are
reported, each once, with a plain reason.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from agent.core.errors import RefusedError, TroubleError
from agent.core.jitter import full_jitter_s
from agent.uplink.inbox import Inbox
from agent.uplink.mqtt_session import BrokerSettings, Session

RECONNECT_LOW_S: Final = 1.0
RECONNECT_HIGH_S: Final = 300.0
STEADY_S: Final = 60.0  # a connection that lived this long starts the back-off anew
TICK_S: Final = 15.0
STOP_S: Final = 2.0
MAX_TOPICS: Final = 6

_TOPIC: Final = re.compile(r"db/1/(?:req|can|alert)/[0-9b-hjkmnp-z]{3,4}/\+", re.ASCII)
_CLIENT_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)

OnState = Callable[[str, str], None]
Delay = Callable[[int], float]


def reconnect_delay_s(attempt: int) -> float:
    """Full jitter from 1 s to 300 s, `attempt` from 0."""
    return full_jitter_s(attempt, low_s=RECONNECT_LOW_S, high_s=RECONNECT_HIGH_S)


class Broker:
    """The connection, from the first `subscribe` to `stop`.

    Args:
        settings: Where and how to connect.
        inbox: Where messages go.
        on_state: Called with `up`, `down` or `refused` and why, from the connection's thread, on changes only.
        delay_s: The wait before attempt n, from 0.
    """

    def __init__(
        self, settings: BrokerSettings, inbox: Inbox, on_state: OnState, *, delay_s: Delay = reconnect_delay_s
    ) -> None:
        self._settings = settings
        self._inbox = inbox
        self._on_state = on_state
        self._delay_s = delay_s
        self._lock = threading.Lock()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wanted: tuple[str, tuple[str, ...]] | None = None
        self._asked = 0
        self._stopping = threading.Event()
        self._state: tuple[str, str] | None = None
        self._overflows = 0
        self._again_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def subscribe(self, client_id: str, topics: Sequence[str]) -> None:
        """Be subscribed to exactly `topics`, and have the broker send what it retains (again).

        Raises:
            RefusedError: topics, when they are none of the protocol's.
        """
        proper = all(_TOPIC.fullmatch(topic) for topic in topics)
        if not (0 < len(topics) <= MAX_TOPICS and proper and _CLIENT_ID.fullmatch(client_id)):
            raise RefusedError("topics", "these are no topics of the protocol")
        with self._lock:
            self._wanted = (client_id, tuple(topics))
            self._asked += 1
            if not self._thread.is_alive() and not self._stopping.is_set():
                self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Have the thread look at what changed."""
        os.eventfd_write(self._wake_fd, 1)

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._live()
            except RefusedError as error:
                self._say("refused", str(error))
            except TroubleError as error:
                self._say("down", str(error))
            if time.monotonic() - began > STEADY_S:
                attempt = 0
            self._stopping.wait(self._delay_s(attempt))
            attempt += 1

    def _live(self) -> None:
        """One connection: raises when it ends; returns on `stop` or when another client id is wanted."""
        with self._lock:
            wanted = self._wanted
        if wanted is None:
            return
        session = Session(self._settings, wanted[0], self._wake_fd)
        try:
            session.open()
            self._follow(session, wanted[0])
        finally:
            session.close()

    def _follow(self, session: Session, client_id: str) -> None:
        answered = -1
        held: tuple[str, ...] = ()
        while not self._stopping.is_set():
            with self._lock:
                asked, wanted = self._asked, self._wanted
            if wanted is None or wanted[0] != client_id:
                return
            if asked != answered:
                self._overflows = 0
            if asked != answered or self._overflow_is_due():
                if gone := sorted(set(held) - set(wanted[1])):
                    session.unsubscribe(gone)
                session.subscribe(wanted[1])
                for message in session.await_grant():
                    self._inbox.put(message)
                answered, held = asked, wanted[1]
                self._say("up", "")
                continue  # a wake-up may have been used up while the grant was awaited
            for message in session.step(self._tick_s()):
                self._inbox.put(message)

    def _overflow_is_due(self) -> bool:
        """After an overflow, and once the inbox is empty, subscribe again: later each time, so as not to spin."""
        if self._inbox.take_overflow():
            self._again_at = time.monotonic() + self._delay_s(self._overflows)
            self._overflows += 1
        if self._again_at is None or time.monotonic() < self._again_at:
            return False
        self._again_at = None
        return True

    def _tick_s(self) -> float:
        if self._again_at is None:
            return TICK_S
        return min(TICK_S, max(0.0, self._again_at - time.monotonic()))

    def _say(self, state: str, why: str) -> None:
        if (state, why) != self._state:
            self._state = (state, why)
            self._on_state(state, why)
