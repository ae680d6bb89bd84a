"""What holds for every single answer: the right `Host`, the security headers, and a record of activity.

A plain ASGI layer around the whole application, so that no route, error or file can be without it.

Mitigates against: DNS rebinding (a foreign name that points at the doorbell), framing, sniffing, injected markup.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from agent.page.rules import SECURITY_HEADERS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ENCODED: Final = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS]
_BAD_HOST: Final = b'{"error":"E_HOST"}'


class Activity:
    """When the page was last of use to somebody; asked by the idle watch."""

    def __init__(self) -> None:
        self._running = 0
        self._last_s: float | None = None

    def idle_s(self) -> float:
        """Seconds since the last answer ended; 0 while one is under way."""
        now_s = asyncio.get_running_loop().time()
        if self._last_s is None:
            self._last_s = now_s
        return 0.0 if self._running else now_s - self._last_s

    def begin(self) -> None:
        """An answer starts."""
        self._running += 1

    def end(self) -> None:
        """It has ended."""
        self._running -= 1
        self._last_s = asyncio.get_running_loop().time()


class Guard:
    """Refuses a wrong `Host` with 400 and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], activity: Activity) -> None:
        self._app = app
        self._hosts = {host.encode("ascii") for host in hosts}
        self._activity = activity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        with_headers = _adding_headers(send)
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            await _refuse(with_headers)
            return
        self._activity.begin()
        try:
            await self._app(scope, receive, with_headers)
        finally:
            self._activity.end()


def _adding_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_ENCODED]
        await send(message)

    return with_headers


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_BAD_HOST)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": _BAD_HOST})
