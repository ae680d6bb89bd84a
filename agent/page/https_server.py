"""Uvicorn as the page needs it: HTTPS on one socket, bounded in every direction, gone when nobody looks.

Bounds against a hostile home network: seconds for a handshake, after it connections in all and from one address,
seconds until a request's head is whole, bytes of a head; `bodies` bounds the rest.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from agent.core.errors import TroubleError
from agent.page.rules import is_wildcard

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from agent.page.guard import Activity

MAX_CONNECTIONS: Final = 128
MAX_CONNECTIONS_PER_ADDRESS: Final = 48
HANDSHAKE_S: Final = 10.0
HEAD_S: Final = 10.0
MAX_HEAD_BYTES: Final = 16_384
KEEP_ALIVE_S: Final = 20
SHUTDOWN_S: Final = 2
# Enough for an ended stream to say so.
LAST_WORDS_S: Final = 0.1
BACKLOG: Final = 64


class BoundedHttp(H11Protocol):
    """One connection, with a deadline for each request's head and a place among the connections of its address."""

    _open: Counter[str] = Counter()  # noqa: RUF012 shared by the connections of the one server of this process

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 uvicorn's own signature
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it, or close it when there are too many."""
        super().connection_made(transport)
        # asyncio does this only for sockets whose `proto` says TCP, which accepted ones don't: 40 ms an answer.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._address = self.client[0] if self.client else "?"
        self._open[self._address] += 1
        crowded = self._open[self._address] > MAX_CONNECTIONS_PER_ADDRESS
        if crowded or len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._disarm()
        self._open[self._address] -= 1
        if self._open[self._address] <= 0:
            del self._open[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Stop the clock once a head is whole; start it where one has begun."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._disarm()
        elif self._head_timer is None and getattr(before, "response_complete", True):
            self._arm()

    def drop(self, *, only_if_idle: bool) -> None:
        """Close at once; with `only_if_idle` unless an answer is under way."""
        if not only_if_idle or getattr(self.cycle, "response_complete", True):
            self.transport.abort()

    def _arm(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.abort()


class _PageServer(Server):
    """Uvicorn's server, that also leaves when idle and hurries its streams when it must stop."""

    def __init__(
        self, config: Config, activity: Activity, idle_s: float | None, on_stop: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._activity = activity
        self._idle_s = idle_s
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as uvicorn does, but wait neither long for a handshake nor for a goodbye."""

        def connection() -> BoundedHttp:
            return BoundedHttp(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                connection,
                sock=sock,
                ssl=self.config.ssl,
                backlog=BACKLOG,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
            for sock in sockets or []
        ]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Uvicorn asks this ten times a second."""
        if self._idle_s is not None and self._activity.idle_s() >= self._idle_s:
            return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the open streams, drop idle connections, finish what is under way, then drop the rest.

        A phone that keeps a connection open, or does not answer TLS's goodbye, is not waited for.
        """
        self._on_stop()
        await asyncio.sleep(LAST_WORDS_S)
        self._drop(only_idle=True)
        await super().shutdown(sockets)
        self._drop(only_idle=False)
        await asyncio.sleep(0)

    def _drop(self, *, only_idle: bool) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedHttp):
                connection.drop(only_if_idle=only_idle)


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket; on `::` it takes IPv4 too, where the machine can.

    Raises:
        TroubleError: the port is taken or the address isn't this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        both = family == socket.AF_INET6 and is_wildcard(host) and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise TroubleError(
            "page-port", f"can't listen on {host} port {port} ({reason}): free it or set [page] host and port"
        ) from exc


def make_server(
    app: ASGIApp,
    context: ssl.SSLContext,
    activity: Activity,
    *,
    idle_s: float | None,
    on_stop: Callable[[], None],
) -> Server:
    """The server for `app`; `serve(sockets=[…])` runs it. With `idle_s` it ends after so long without use."""
    config = Config(
        app,
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        log_level="error",  # what strangers send is not worth a line each
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ssl_context_factory=lambda _config, _default: context,
    )
    return _PageServer(config, activity, idle_s, on_stop)
