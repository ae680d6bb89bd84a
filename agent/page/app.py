"""The owner's page: every call of protocol section 10 as one small handler.

The order is the same for each: right host (`guard`), right headers, a session cookie, a body within its bound and
of its closed form, then one verb to the vault. Nothing is decided, kept or cached here.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from agent.core import ids
from agent.core.errors import RefusedError
from agent.page import bodies, rules
from agent.page.answers import ERROR_HANDLERS, json_answer
from agent.page.guard import Activity, Guard
from agent.page.live import Streaming, event_stream
from agent.page.static_files import load_static

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from agent.page.events import EventHub
    from agent.page.port import Body, VaultPort

T = TypeVar("T")

VAULT_THREADS: Final = 16
CHUNK_BYTES: Final = 262_144
MAX_NUMBER: Final = 10**16 - 1  # section 1: integers have at most 16 digits


@dataclass(frozen=True, slots=True)
class PageApp:
    """The application and the two things that its server needs beside it."""

    asgi: ASGIApp
    activity: Activity


def make_app(vault: VaultPort, hub: EventHub, hosts: frozenset[str]) -> PageApp:
    """Build the page over `vault`, answering to `hosts` only."""
    api = _Api(vault, hub)
    vault.on_event(hub.publish)
    activity = Activity()
    starlette = Starlette(
        routes=api.routes(),
        exception_handlers=ERROR_HANDLERS,
    )
    return PageApp(Guard(starlette, hosts, activity), activity)


def _session(request: Request) -> str:
    secret = request.cookies.get(rules.COOKIE, "")
    if not secret or len(secret) > rules.MAX_COOKIE_CHARS or not secret.isascii() or not secret.isprintable():
        raise RefusedError("NO_SESSION")
    return secret


def _path_id(request: Request, key: str = "id") -> str:
    value: str = request.path_params[key]
    if not ids.is_id(value):
        raise RefusedError("NOT_FOUND")
    return value


def _query(request: Request, key: str, *, high: int, default: int | None) -> int | None:
    if key not in request.query_params:
        return default
    value = rules.whole_number(request.query_params[key], high=high)
    if value is None:
        raise RefusedError("E_SCHEMA", f"{key} is not within 0 and {high}")
    return value


def _limit(request: Request, *, high: int, default: int) -> int:
    value = _query(request, "limit", high=high, default=default)
    if not value:
        raise RefusedError("E_SCHEMA", f"limit is not within 1 and {high}")
    return value


class _Api:
    """Handlers of the API; one verb each."""

    def __init__(self, vault: VaultPort, hub: EventHub) -> None:
        self._vault = vault
        self._hub = hub
        self._threads = CapacityLimiter(VAULT_THREADS)
        self._static = load_static()

    def routes(self) -> list[Route]:
        get, post = self._get, self._post
        return [
            Route("/", self._index),
            Route("/pair", self._index),
            Route("/static/{name:path}", self._file),
            post("/api/pair", self._pair, needs_session=False),
            post("/api/session/challenge", self._challenge, needs_session=False),
            post("/api/session", self._open_session, needs_session=False),
            get("/api/status", lambda r: self._ask(self._vault.status, _session(r))),
            get("/api/requests", lambda r: self._ask(self._vault.requests, _session(r))),
            get("/api/requests/{id}", lambda r: self._ask(self._vault.request, _session(r), _path_id(r))),
            get("/api/requests/{id}/segments", self._segments),
            post("/api/requests/{id}/decision", self._decision, max_bytes=rules.MAX_DECISION_BODY),
            post("/api/requests/{id}/stop", self._stop),
            Route("/api/segments/{id}", self._segment),
            get("/api/clips", self._clips),
            get("/api/alerts", lambda r: self._ask(self._vault.alerts, _session(r))),
            get("/api/agencies", lambda r: self._ask(self._vault.agencies, _session(r))),
            get("/api/log", self._log),
            get("/api/phones", lambda r: self._ask(self._vault.phones, _session(r))),
            get("/api/stanzas", self._stanzas),
            post("/api/phones/{phone}/stanzas", self._hand_on, max_bytes=rules.MAX_STANZAS_BODY),
            post("/api/actions", self._action),
            get("/api/nonce", lambda r: self._ask(self._vault.nonce, _session(r))),
            Route("/api/events", self._events),
        ]

    # -- forms of call ------------------------------------------------------------------------------------

    async def _ask(self, verb: Callable[..., T], *args: object, **options: object) -> T:
        return await to_thread.run_sync(lambda: verb(*args, **options), limiter=self._threads)

    def _get(self, path: str, answer: Callable[[Request], Awaitable[Body]]) -> Route:
        async def endpoint(request: Request) -> Response:
            return json_answer(await answer(request))

        return Route(path, endpoint, methods=["GET"])

    def _post(
        self,
        path: str,
        answer: Callable[[Request, bytes], Awaitable[Response]],
        *,
        max_bytes: int = rules.MAX_BODY,
        needs_session: bool = True,
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                rules.check_post(request.headers)
                if needs_session:
                    _session(request)
                body = await bodies.read_body(request, max_bytes=max_bytes)
            except RefusedError:
                await bodies.drain(request)
                raise
            return await answer(request, body)

        return Route(path, endpoint, methods=["POST"])

    # -- pairing and session --------------------------------------------------------------------------------

    async def _pair(self, _request: Request, body: bytes) -> Response:
        return json_answer(await self._ask(self._vault.pair, bodies.pair_body(body)))

    async def _challenge(self, _request: Request, body: bytes) -> Response:
        return json_answer(await self._ask(self._vault.challenge, bodies.phone_body(body)))

    async def _open_session(self, _request: Request, body: bytes) -> Response:
        phone, sig = bodies.session_body(body)
        secret = await self._ask(self._vault.session, phone, sig)
        response = Response(status_code=204, headers={"cache-control": "no-store"})
        response.set_cookie(rules.COOKIE, secret, path="/", secure=True, httponly=True, samesite="strict")
        return response

    # -- requests -------------------------------------------------------------------------------------------

    async def _segments(self, request: Request) -> Body:
        return await self._ask(
            self._vault.segments,
            _session(request),
            _path_id(request),
            after=_query(request, "after", high=MAX_NUMBER, default=None),
            limit=_limit(request, high=rules.MAX_PAGE, default=rules.MAX_PAGE),
        )

    async def _decision(self, request: Request, body: bytes) -> Response:
        envelope = bodies.envelope_body(body)
        return json_answer(
            await self._ask(self._vault.decision, _session(request), _path_id(request), envelope), 202
        )

    async def _stop(self, request: Request, body: bytes) -> Response:
        bodies.empty_body(body)
        return json_answer(await self._ask(self._vault.stop, _session(request), _path_id(request)))

    # -- footage ----------------------------------------------------------------------------------------------

    async def _segment(self, request: Request) -> Response:
        descriptor = await self._ask(self._vault.segment, _session(request), _path_id(request))
        size = os.fstat(descriptor).st_size
        headers = {"content-length": str(size), "cache-control": "no-store"}
        body = self._read(descriptor, size)
        return Streaming(
            body, lambda: os.close(descriptor), media_type="application/octet-stream", headers=headers
        )

    async def _read(self, descriptor: int, size: int) -> AsyncIterator[bytes]:
        """Stream `size` bytes by position: the descriptor's offset may be shared."""
        at = 0
        while at < size:
            chunk = await self._ask(os.pread, descriptor, min(CHUNK_BYTES, size - at), at)
            if not chunk:
                return
            at += len(chunk)
            yield chunk

    async def _clips(self, request: Request) -> Body:
        return await self._ask(
            self._vault.clips,
            _session(request),
            before_ms=_query(request, "before", high=MAX_NUMBER, default=None),
            limit=_limit(request, high=rules.MAX_CLIPS, default=rules.DEFAULT_CLIPS),
        )

    async def _stanzas(self, request: Request) -> Body:
        return await self._ask(
            self._vault.stanzas,
            _session(request),
            after=_query(request, "after", high=MAX_NUMBER, default=None),
            limit=_limit(request, high=rules.MAX_PAGE, default=rules.MAX_PAGE),
        )

    async def _hand_on(self, request: Request, body: bytes) -> Response:
        phone: str = request.path_params["phone"]
        if not ids.is_kid(phone):
            raise RefusedError("NOT_FOUND")
        stanzas = bodies.stanzas_body(body)
        return json_answer(await self._ask(self._vault.hand_on, _session(request), phone, stanzas))

    # -- the rest ---------------------------------------------------------------------------------------------

    async def _log(self, request: Request) -> Body:
        # Section 10 sets no limit for the log's pages: who asks for more than a page gets a page.
        limit = _limit(request, high=MAX_NUMBER, default=rules.MAX_PAGE)
        return await self._ask(
            self._vault.log,
            _session(request),
            after=_query(request, "after", high=MAX_NUMBER, default=None),
            limit=min(limit, rules.MAX_PAGE),
        )

    async def _action(self, request: Request, body: bytes) -> Response:
        return json_answer(await self._ask(self._vault.action, _session(request), bodies.envelope_body(body)))

    async def _events(self, request: Request) -> Response:
        session = _session(request)
        stream = self._hub.open()
        with ExitStack() as held:
            held.callback(self._hub.close, stream)
            stream.phone = await self._ask(self._vault.subscribe, session)
            held.pop_all()
        return Streaming(
            event_stream(stream),
            lambda: self._hub.close(stream),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )

    async def _index(self, request: Request) -> Response:
        return self._static_response(request, "index.html")

    async def _file(self, request: Request) -> Response:
        return self._static_response(request, request.path_params["name"])

    def _static_response(self, request: Request, name: str) -> Response:
        file = self._static.get(name)
        if file is None:
            raise RefusedError("NOT_FOUND")
        headers = {"etag": file.etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.media_type, headers=headers)
