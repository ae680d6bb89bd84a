"""What the page asks of the vault: one method for each verb of protocol section 10.

The page decides nothing. It checks the form of what a phone sent, hands it on as one typed verb and gives the
vault's answer back. Every method may raise `RefusedError` (its `code` becomes the HTTP status, see `rules`) and
`TroubleError` (the vault is gone: 503).

Codes that the vault uses towards the page beside those of sections 10 and 11:

- `NO_SESSION`: the session is unknown or over (401); every verb with a `session` may raise it.
- `NOT_FOUND`: no such request, segment, phone or clip (404).

Methods block; the server calls them from worker threads, several at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

Body: TypeAlias = dict[str, Any] | list[Any]
"""A JSON value as section 10 gives it; the page serialises it as it is."""

EventName: TypeAlias = Literal["request", "state", "progress", "alert", "status", "phone"]
EVENT_NAMES: Final[frozenset[str]] = frozenset(get_args(EventName))


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event.

    `data` is sent as JSON: `request {id}` · `state {id, state, seconds?}` (seconds that CONFIRMING or GRACE
    still lasts) · `progress {id, sent, total}` · `alert {id}` · `status {…}` · `phone {phone}`.
    `phone` is the only phone that may see it, or None for all.
    """

    name: EventName
    data: dict[str, Any]
    phone: str | None = None


class VaultPort(Protocol):
    """The vault as the page sees it."""

    def certificate(self, csr_der: bytes) -> str:
        """Chain for the page's TLS key as PEM, leaf first; the vault chooses names and times."""
        ...

    def pair(self, body: dict[str, Any]) -> Body:
        """`{name, sign_pub, open_pub, mac}` → section 10's answer; `P_CLOSED`, `P_MAC`."""
        ...

    def challenge(self, phone: str) -> Body:
        """`{challenge}` for this phone; `C_APPROVER` for a phone that is not paired."""
        ...

    def session(self, phone: str, sig: str) -> str:
        """A session's secret text for the cookie; `C_SIG` or `C_APPROVER` where the answer is wrong."""
        ...

    def status(self, session: str) -> Body:
        """`GET /api/status`."""
        ...

    def requests(self, session: str) -> Body:
        """What reached PENDING in 30 days, newest first."""
        ...

    def request(self, session: str, request: str) -> Body:
        """One request with what the phone needs to verify it, and a nonce."""
        ...

    def segments(self, session: str, request: str, *, after: int | None, limit: int) -> Body:
        """Segments that match, with stanzas for the asking phone; `after` is the last index seen."""
        ...

    def decision(self, session: str, request: str, envelope: bytes) -> Body:
        """Take a consent envelope: `{state}`, or a C_ code."""
        ...

    def stop(self, session: str, request: str) -> Body:
        """`{state}`, or `C_STATE`."""
        ...

    def segment(self, session: str, segment: str) -> int:
        """A read-only file descriptor of the sealed segment; the caller closes it."""
        ...

    def clips(self, session: str, *, before_ms: int | None, limit: int) -> Body:
        """Clips that start before `before_ms`, newest first."""
        ...

    def alerts(self, session: str) -> Body:
        """Alerts that are live: their payloads."""
        ...

    def agencies(self, session: str) -> Body:
        """The region's list: `[{id, name, centre}]`."""
        ...

    def log(self, session: str, *, after: int | None, limit: int) -> Body:
        """`{size, root, checkpoint, entries}` of the entries after `after`."""
        ...

    def phones(self, session: str) -> Body:
        """`[{phone, name, sign_pub, open_pub, state, paired, seen}]`."""
        ...

    def stanzas(self, session: str, *, after: int | None, limit: int) -> Body:
        """The asking phone's own stanzas."""
        ...

    def hand_on(self, session: str, phone: str, stanzas: list[dict[str, str]]) -> Body:
        """`[{id, stanza}]` re-sealed by the asking phone to `phone`; kept only where none is held."""
        ...

    def action(self, session: str, envelope: bytes) -> Body:
        """Take an action envelope: `{}`, or a code."""
        ...

    def nonce(self, session: str) -> Body:
        """`{nonce}` for an action."""
        ...

    def subscribe(self, session: str) -> str:
        """The kid of the phone whose session this is; from now on the vault tells events.

        After it the vault may tell `state` once for each request in CONFIRMING or GRACE, with the seconds left.
        """
        ...

    def on_event(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` for each event, from any thread."""
        ...
