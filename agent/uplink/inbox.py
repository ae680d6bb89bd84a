"""What came from the broker and waits for the vault: bounded in number and bytes, and counts what it drops.

A full inbox lets a newcomer replace a waiting message by chance. Brokers repeat retained messages in one fixed
order; if the last ones always lost, a flood of requests could starve one good request for ever.
"""

import secrets
import threading
from dataclasses import dataclass
from typing import Final

MAX_MESSAGES: Final = 4_096
MAX_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it came: `kind` is `req`, `can` or `alert`, by its topic; nobody looked inside."""

    kind: str
    body: bytes


class Inbox:
    """Filled by one thread, emptied by another."""

    def __init__(self, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._waiting: list[Arrived] = []
        self._bytes = 0
        self._overflowed = False
        self._closed = False
        self._filled = threading.Condition()
        self.dropped = 0

    def put(self, message: Arrived) -> None:
        """Add a message, in the place of others chosen by chance if there is no room."""
        with self._filled:
            self._waiting.append(message)
            self._bytes += len(message.body)
            while len(self._waiting) > self._max_messages or self._bytes > self._max_bytes:
                self._drop(secrets.randbelow(len(self._waiting)))
            self._filled.notify()

    def _drop(self, index: int) -> None:
        self._bytes -= len(self._waiting.pop(index).body)
        self.dropped += 1
        self._overflowed = True

    def get(self) -> Arrived | None:
        """Wait for the oldest message and take it; None after `close`."""
        with self._filled:
            self._filled.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            message = self._waiting.pop(0)
            self._bytes -= len(message.body)
            return message

    def lost(self) -> None:
        """Say that a message which was taken did not reach the vault: as good as an overflow."""
        with self._filled:
            self.dropped += 1
            self._overflowed = True

    def take_overflow(self) -> bool:
        """Say, once, that something was dropped and that there is room again."""
        with self._filled:
            if self._waiting or not self._overflowed:
                return False
            self._overflowed = False
            return True

    def close(self) -> None:
        """Let whoever waits in `get` go."""
        with self._filled:
            self._closed = True
            self._filled.notify_all()
