"""A few threads that run what they are handed, and that keep no process from ending.

The pool of the standard library waits for its threads when the process ends: a call that hangs, or that a server
draws out, would hold up a restart for as long.
"""

import contextlib
import queue
import threading
from collections.abc import Callable

from agent.services.reasons import bug_met


class Workers:
    """At most `count` daemon threads, each started when it is first needed."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, action: Callable[[], None]) -> None:
        """Run `action` as soon as a thread is free.

        Raises:
            RuntimeError: after `close`, or when the system has no thread left.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("closed")
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._count:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                thread.start()
                self._threads.append(thread)
            self._waiting.put(action)

    def close(self) -> None:
        """Forget what waits, and let each thread end after what it is doing; waits for none."""
        with self._lock:
            self._closed = True
            with contextlib.suppress(queue.Empty):
                while True:
                    self._waiting.get_nowait()
            for _ in self._threads:
                self._waiting.put(None)

    def _work(self) -> None:
        while (action := self._waiting.get()) is not None:
            try:
                action()
            except Exception as bug:  # noqa: BLE001 - who asked is gone, and a thread that ended would be missed
                bug_met("a worker", bug)
            self._idle.release()
