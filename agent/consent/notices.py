"""Cancels and alerts: protocol section 8, checks 1-5 with one signature.

Pure. A cancel only ever stops, so it is taken from a dispatch key or from a key of the agency that it names; an
alert is only ever shown, so it is taken from a dispatch key alone. Neither can start or approve anything.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final

from agent.consent import forms
from agent.consent.checks import check_times
from agent.consent.directory import DirectoryView
from agent.consent.directory_keys import SignKey, find_key
from agent.consent.limits_of_owner import CEILINGS
from agent.core.envelope import MAX_PAYLOAD_BYTES, Envelope, pae, parse_envelope, payload_type
from agent.core.errors import RefusedError
from agent.core.geo import Point, contains
from agent.core.ids import Id
from agent.core.strict_json import Json, closed, parse

CANCEL_TYPE: Final = payload_type("cancel")
ALERT_TYPE: Final = payload_type("alert")
EARLY_CANCEL_S: Final = 604_800  # section 8: how long a cancel waits for its request
MAX_ALERTS_A_DAY: Final = 20  # section 8

_CANCEL_KEYS: Final = frozenset({"v", "id", "agency", "at", "reason"})
_REASONS: Final = frozenset({"resolved", "error", "superseded"})
_ALERT_KEYS: Final = frozenset({"v", "id", "source", "category", "title", "text", "area", "iat", "exp"})
_SOURCE_KEYS: Final = frozenset({"kind", "agency"})


@dataclass(frozen=True, slots=True)
class Cancel:
    """A verified cancel."""

    id: Id
    agency: str
    at_s: int
    reason: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A verified alert; `agency` is its source, None for a neighbour."""

    id: Id
    agency: str | None
    category: str
    title: str
    text: str
    area: tuple[Point, ...]
    iat_s: int
    exp_s: int


def check_cancel(raw: bytes, *, view: DirectoryView | None) -> Cancel:
    """Verify a message from a cancel topic.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_ENVELOPE, E_TYPE; D_DIRECTORY when its keyid fits nothing that is held
            (drop it, or check it again after a look-up that is under way); E_KEY; E_SIG, also when the agency that
            it names does not own the key; E_SCHEMA.
    """
    envelope = _envelope(raw, CANCEL_TYPE)
    held = _held(view)
    (signature,) = envelope.signatures
    kid = signature.keyid
    by_dispatch = find_key(held.platform.dispatch, kid)
    key = _known(by_dispatch or find_key(_agencies_keys(held), kid))
    cancel = _parse_cancel(_payload(envelope, key))
    if by_dispatch is None:
        owner = held.agencies.get(cancel.agency)
        owned = None if owner is None else find_key(owner.sign, kid)
        if owned is None or owned.verifier is None:
            raise RefusedError("E_SIG", "the agency that is named does not own the key")
    return cancel


def check_alert(
    raw: bytes,
    *,
    view: DirectoryView | None,
    now_s: int,
    trusted: bool,
    camera: Point,
    seen: Container[Id],
    muted: bool,
    shown_24h: int,
) -> Alert:
    """Verify a message from an alert topic and say that it is one to show.

    Args:
        raw: the message as it came.
        view: what is held of the directory, None where nothing is.
        now_s: UTC, unix seconds, taken once for this decision.
        trusted: whether that clock may be trusted.
        camera: the camera's point, 1e-7 degree.
        seen: the ids of alerts that are kept.
        muted: whether the owner turned alerts off.
        shown_24h: how many alerts became shown in the last 24 hours.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_ENVELOPE, E_TYPE, D_DIRECTORY, E_KEY, E_SIG, E_SCHEMA, E_TEXT, E_AREA,
            E_ORDER, E_LIMIT, D_CLOCK, E_EXPIRED, E_FUTURE as of a request; I_DUPLICATE, I_MUTED, I_NO_AREA;
            E_FLOOD.
    """
    envelope = _envelope(raw, ALERT_TYPE)
    held = _held(view)
    (signature,) = envelope.signatures
    key = _known(find_key(held.platform.dispatch, signature.keyid))
    alert = _parse_alert(_payload(envelope, key))
    if not key.valid_at(alert.iat_s):
        raise RefusedError("E_KEY", "the key was not valid when the alert was issued")
    if alert.category not in held.platform.incidents:
        raise RefusedError("E_SCHEMA", "the category is not in the directory")
    if alert.iat_s >= alert.exp_s:
        raise RefusedError("E_ORDER", "the times are out of order")
    if alert.exp_s - alert.iat_s > CEILINGS.ttl_s:
        raise RefusedError("E_LIMIT", "the alert lives too long")
    check_times(alert.iat_s, alert.exp_s, now_s=now_s, trusted=trusted)
    if alert.id in seen:
        raise RefusedError("I_DUPLICATE", "the alert is known")
    if muted:
        raise RefusedError("I_MUTED", "the owner does not want alerts")
    if not contains(alert.area, camera):
        raise RefusedError("I_NO_AREA", "the camera is not inside the area")
    if shown_24h >= MAX_ALERTS_A_DAY:
        raise RefusedError("E_FLOOD", "more alerts than are shown in a day")
    return alert


def _envelope(raw: bytes, kind: str) -> Envelope:
    """Run checks 1-3: size, form with one signature, and the type that belongs on this topic."""
    envelope = parse_envelope(raw, counts=(1,))
    if envelope.payload_type != kind:
        raise RefusedError("E_TYPE", "the payload is of another type")
    return envelope


def _held(view: DirectoryView | None) -> DirectoryView:
    if view is None:
        raise RefusedError("D_DIRECTORY", "no directory is held")
    return view


def _agencies_keys(view: DirectoryView) -> Iterable[SignKey]:
    return (key for agency in view.agencies.values() if agency is not None for key in agency.sign)


def _known(key: SignKey | None) -> SignKey:
    if key is None:
        raise RefusedError("D_DIRECTORY", "the keyid fits no key that is held")
    return key


def _payload(envelope: Envelope, key: SignKey) -> bytes:
    """Verify the one signature and return the bytes that it is over."""
    (signature,) = envelope.signatures
    key.verify(pae(envelope.payload_type, envelope.payload), signature.sig)
    return envelope.payload


def _parse_cancel(payload: bytes) -> Cancel:
    value = closed(parse(payload, max_bytes=MAX_PAYLOAD_BYTES), _CANCEL_KEYS, "E_SCHEMA", "the cancel")
    forms.version_1(value["v"])
    reason = forms.string(value["reason"], "reason")
    if reason not in _REASONS:
        raise RefusedError("E_SCHEMA", "there is no such reason")
    return Cancel(
        id=forms.id_form(value["id"], "id"),
        agency=forms.formed(value["agency"], forms.AGENCY, "agency"),
        at_s=forms.integer(value["at"], "at"),
        reason=reason,
    )


def _parse_alert(payload: bytes) -> Alert:
    value = closed(parse(payload, max_bytes=MAX_PAYLOAD_BYTES), _ALERT_KEYS, "E_SCHEMA", "the alert")
    forms.version_1(value["v"])
    title, text = forms.string(value["title"], "title"), forms.string(value["text"], "text")
    return Alert(  # arguments are evaluated as they stand: forms, then texts, then the area
        id=forms.id_form(value["id"], "id"),
        agency=_source(value["source"]),
        category=forms.formed(value["category"], forms.INCIDENT, "category"),
        iat_s=forms.integer(value["iat"], "iat"),
        exp_s=forms.integer(value["exp"], "exp"),
        title=forms.shown(title, "title", limit=forms.MAX_NAME),
        text=forms.shown(text, "text", limit=forms.MAX_TEXT, lines=forms.MAX_LINES),
        area=forms.outline(value["area"]),
    )


def _source(value: Json) -> str | None:
    """Return the agency that an alert comes from, None for a neighbour, who has none."""
    source = closed(value, _SOURCE_KEYS, "E_SCHEMA", "source")
    if source["kind"] == "neighbour" and source["agency"] is None:
        return None
    if source["kind"] == "agency":
        return forms.formed(source["agency"], forms.AGENCY, "the source's agency")
    raise RefusedError("E_SCHEMA", "there is no such source")
