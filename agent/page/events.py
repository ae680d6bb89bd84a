"""Events from the vault to the phones that listen: bounded, filtered, and never a reason to wait.

Each listening browser has one `Stream`. A stream that falls behind is ended, not trimmed: its browser connects
again and reads the whole state, so a lost event can't leave a phone with an old picture. Everything here runs on
the server's event loop; `EventHub.publish` is its only way in from other threads.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from agent.core.errors import RefusedError
from agent.page.port import EVENT_NAMES

if TYPE_CHECKING:
    from agent.page.port import Event

MAX_STREAMS: Final = 32
QUEUE_EVENTS: Final = 64


class Stream:
    """One browser's queue of events; iterate it with `next_event` until it returns None."""

    def __init__(self) -> None:
        self.phone: str | None = None
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE_EVENTS)
        self.is_ended = False

    def offer(self, event: Event) -> None:
        """Queue `event`, or end the stream when it is full."""
        if self.is_ended:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Let the reader stop as soon as possible; what is queued is dropped."""
        self.is_ended = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def next_event(self, timeout_s: float) -> Event | None:
        """Return the next event for this stream's phone, or None at the end.

        Raises:
            TimeoutError: nothing happened for `timeout_s`.
        """
        async with asyncio.timeout(timeout_s):
            while not self.is_ended:
                event = await self._queue.get()
                if event is None:
                    return None
                if event.phone is None or event.phone == self.phone:
                    return event
        return None


class EventHub:
    """Fans the vault's events out to every open stream."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> Stream:
        """Start a stream.

        Raises:
            RefusedError: E_BUSY when too many are open.
        """
        if len(self._streams) >= MAX_STREAMS:
            raise RefusedError("E_BUSY", "too many browsers listen")
        self._loop = asyncio.get_running_loop()
        stream = Stream()
        self._streams.add(stream)
        return stream

    def close(self, stream: Stream) -> None:
        """Forget a stream."""
        stream.end()
        self._streams.discard(stream)

    def publish(self, event: Event) -> None:
        """Offer `event` to every stream; from any thread. An event with an unknown name goes nowhere."""
        if event.name in EVENT_NAMES and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._fan_out, event)

    def end_all(self) -> None:
        """End every stream, from any thread: the vault's subscription is gone, browsers must ask anew."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end_all)

    def _fan_out(self, event: Event) -> None:
        for stream in self._streams:
            stream.offer(event)

    def _end_all(self) -> None:
        for stream in self._streams:
            stream.end()
