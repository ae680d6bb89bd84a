"""The page's vault at the other end of a unix socket: `VaultPort` over the socket layer, one verb a method.

Connects when first needed and again after a loss, but not more often than every second; while the vault is away
each call is a `TroubleError`, which the phone sees as "try again". A lost link ends the event streams, because the
vault's subscription went with it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final, cast

from agent.core.errors import RefusedError, TroubleError
from agent.page.port import EVENT_NAMES, Body, Event, EventName
from agent.services.deadlines import DECISION_S
from agent.services.wire import Link, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.core.clock import Clock
    from agent.core.strict_json import Json

RECONNECT_NS: Final = 1_000_000_000
ANSWER_S: Final = 10.0


class WireVault:
    """Implements `agent.page.port.VaultPort`."""

    def __init__(self, path: Path, clock: Clock, on_lost: Callable[[], None]) -> None:
        """`path` is the vault's socket for the page; `on_lost` is called from any thread when the link ends."""
        self._path = path
        self._clock = clock
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._tried_ns: int | None = None
        self._listeners: list[Callable[[Event], None]] = []

    def close(self) -> None:
        """End the link."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    # -- the link -----------------------------------------------------------------------------------------

    def _connected(self) -> Link:
        with self._lock:
            if self._link is not None and not self._link.closed:
                return self._link
            now_ns = self._clock.boot_ns()
            if self._tried_ns is not None and now_ns - self._tried_ns < RECONNECT_NS:
                raise TroubleError("link", "the vault does not answer: is the doorbell running?")
            self._tried_ns = now_ns
            self._link = Link.connect(self._path, self._told, on_close=self._on_lost, workers=1)
            self._tried_ns = None
            return self._link

    def _told(self, verb: str, message: Message) -> Message:
        """Take an event; the vault asks nothing of the page."""
        name, data, phone = (message.args.get(key) for key in ("name", "data", "phone"))
        if verb != "event" or name not in EVENT_NAMES or not isinstance(data, dict):
            raise RefusedError("verb", "the page takes events only")
        event = Event(cast("EventName", name), data, phone if isinstance(phone, str) else None)
        for listener in self._listeners:
            listener(event)
        return Message()

    def _ask(
        self,
        verb: str,
        args: dict[str, Any],
        blob: bytes | None = None,
        *,
        takes_fds: bool = False,
        timeout_s: float = ANSWER_S,
    ) -> Message:
        # None values are left out: the table of verbs knows no null.
        given: dict[str, Json] = {key: value for key, value in args.items() if value is not None}
        return self._connected().call(verb, given, blob=blob, takes_fds=takes_fds, timeout_s=timeout_s)

    def _body(self, verb: str, blob: bytes | None = None, **args: Any) -> Body:  # noqa: ANN401 JSON values
        return _body_of(verb, self._ask(verb, args, blob))

    def tell_faults(self, codes: Sequence[str]) -> None:
        """Tell the vault what keeps this page from serving; while the vault is away nobody hears it."""
        with contextlib.suppress(TroubleError):
            self._connected().tell("fault", {"codes": list(codes)})

    # -- the verbs ----------------------------------------------------------------------------------------

    def certificate(self, csr_der: bytes) -> str:
        """See the port."""
        message = self._ask("certificate", {}, csr_der)
        chain = message.args.get("chain")
        if not isinstance(chain, str):
            raise TroubleError("link", "the vault's answer holds no certificate")
        return chain

    def pair(self, body: dict[str, Any]) -> Body:
        """See the port."""
        return self._body("pair", **body)

    def challenge(self, phone: str) -> Body:
        """See the port."""
        return self._body("challenge", phone=phone)

    def session(self, phone: str, sig: str) -> str:
        """See the port."""
        message = self._ask("session", {"phone": phone, "sig": sig})
        secret = message.args.get("session")
        if not isinstance(secret, str):
            raise TroubleError("link", "the vault's answer holds no session")
        return secret

    def status(self, session: str) -> Body:
        """See the port."""
        return self._body("status", session=session)

    def requests(self, session: str) -> Body:
        """See the port."""
        return self._body("requests", session=session)

    def request(self, session: str, request: str) -> Body:
        """See the port."""
        return self._body("request", session=session, id=request)

    def segments(self, session: str, request: str, *, after: int | None, limit: int) -> Body:
        """See the port."""
        return self._body("segments", session=session, id=request, after=after, limit=limit)

    def decision(self, session: str, request: str, envelope: bytes) -> Body:
        """See the port."""
        args = {"session": session, "id": request}
        return _body_of("decision", self._ask("decision", args, envelope, timeout_s=DECISION_S))

    def stop(self, session: str, request: str) -> Body:
        """See the port."""
        return self._body("stop", session=session, id=request)

    def segment(self, session: str, segment: str) -> int:
        """See the port."""
        return self._ask("segment", {"session": session, "id": segment}, takes_fds=True).take_fd()

    def clips(self, session: str, *, before_ms: int | None, limit: int) -> Body:
        """See the port."""
        return self._body("clips", session=session, before=before_ms, limit=limit)

    def alerts(self, session: str) -> Body:
        """See the port."""
        return self._body("alerts", session=session)

    def agencies(self, session: str) -> Body:
        """See the port."""
        return self._body("agencies", session=session)

    def log(self, session: str, *, after: int | None, limit: int) -> Body:
        """See the port."""
        return self._body("log", session=session, after=after, limit=limit)

    def phones(self, session: str) -> Body:
        """See the port."""
        return self._body("phones", session=session)

    def stanzas(self, session: str, *, after: int | None, limit: int) -> Body:
        """See the port."""
        return self._body("stanzas", session=session, after=after, limit=limit)

    def hand_on(self, session: str, phone: str, stanzas: list[dict[str, str]]) -> Body:
        """See the port."""
        return self._body("hand_on", session=session, phone=phone, stanzas=stanzas)

    def action(self, session: str, envelope: bytes) -> Body:
        """See the port."""
        return self._body("action", envelope, session=session)

    def nonce(self, session: str) -> Body:
        """See the port."""
        return self._body("nonce", session=session)

    def subscribe(self, session: str) -> str:
        """See the port."""
        message = self._ask("subscribe", {"session": session})
        phone = message.args.get("phone")
        return phone if isinstance(phone, str) else ""

    def on_event(self, listener: Callable[[Event], None]) -> None:
        """See the port."""
        self._listeners.append(listener)


def _body_of(verb: str, message: Message) -> Body:
    body = message.args.get("body")
    if not isinstance(body, dict | list):
        raise TroubleError("link", f"the vault's answer to {verb} has no body")
    return cast("Body", body)
