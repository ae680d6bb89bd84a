"""Answers that last: event streams until the phone goes, falls behind or has to prove itself again; segments.

What such an answer holds (a place in the hub, a descriptor) is given back however it ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.responses import StreamingResponse

from agent.core import strict_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from agent.page.events import Stream
    from agent.page.port import Event

HEARTBEAT_S: Final = 15.0
# A stream is ended after this, so that a phone that was unpaired meanwhile can't listen on.
LIFE_S: Final = 300.0
RETRY_MS: Final = 2000


def encode_event(event: Event) -> bytes:
    """One event as it goes over the wire; JSON has no bare line feed, so `data` is one line."""
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), strict_json.dump(event.data))


class Streaming(StreamingResponse):
    """A streamed answer that calls `release` exactly once at its end, even if it never began."""

    def __init__(
        self,
        content: AsyncIterator[bytes],
        release: Callable[[], None],
        *,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, then release."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()


async def event_stream(stream: Stream) -> AsyncIterator[bytes]:
    """Yield the stream's events, with a comment line now and then so that a dead connection is noticed."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + LIFE_S
    yield b"retry: %d\n\n" % RETRY_MS
    while loop.time() < ends_s:
        try:
            event = await stream.next_event(HEARTBEAT_S)
        except TimeoutError:
            yield b": still here\n\n"
            continue
        if event is None:
            return
        yield encode_event(event)
