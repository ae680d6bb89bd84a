"""A request's payload as a frozen type: protocol section 6, check 5.

Faults are named in the protocol's order: strict JSON (E_JSON), keys, types and forms (E_SCHEMA), the content of
texts (E_TEXT), then anything about `area` but its size against the limits (E_AREA). Whether a request may be
shown is not decided here, and nothing in it can approve.
"""

from dataclasses import dataclass
from typing import Final

from agent.consent import forms
from agent.core.envelope import MAX_PAYLOAD_BYTES
from agent.core.geo import Point
from agent.core.ids import Id
from agent.core.strict_json import closed, parse

_KEYS: Final = frozenset(
    {
        *("v", "id", "agency", "case", "incident", "officer", "text", "area"),
        *("from", "to", "iat", "exp", "enc_pub", "ep", "dirv"),
    }
)
_OFFICER_KEYS: Final = frozenset({"name", "badge"})


@dataclass(frozen=True, slots=True)
class Request:
    """What an agency asks for; times in unix seconds, points in 1e-7 degree."""

    id: Id
    agency: str
    case: str
    incident: str
    officer_name: str
    officer_badge: str
    text: str
    area: tuple[Point, ...]
    from_s: int
    to_s: int
    iat_s: int
    exp_s: int
    enc_pub: bytes
    ep: str
    dirv: int


def parse_request(payload: bytes) -> Request:
    """Parse a payload whose dispatch signature was verified (check 5).

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA, E_TEXT, E_AREA, in this order.
    """
    value = closed(parse(payload, max_bytes=MAX_PAYLOAD_BYTES), _KEYS, "E_SCHEMA", "the request")
    forms.version_1(value["v"])
    officer = closed(value["officer"], _OFFICER_KEYS, "E_SCHEMA", "officer")
    name, text = forms.string(officer["name"], "officer name"), forms.string(value["text"], "text")
    return Request(  # arguments are evaluated as they stand: forms, then texts, then the area
        id=forms.id_form(value["id"], "id"),
        agency=forms.formed(value["agency"], forms.AGENCY, "agency"),
        case=forms.formed(value["case"], forms.CASE, "case"),
        incident=forms.formed(value["incident"], forms.INCIDENT, "incident"),
        officer_badge=forms.formed(officer["badge"], forms.BADGE, "badge"),
        from_s=forms.integer(value["from"], "from"),
        to_s=forms.integer(value["to"], "to"),
        iat_s=forms.integer(value["iat"], "iat"),
        exp_s=forms.integer(value["exp"], "exp"),
        enc_pub=forms.key_bytes(value["enc_pub"], "enc_pub"),
        ep=forms.nonempty(value["ep"], "ep"),
        dirv=forms.integer(value["dirv"], "dirv"),
        officer_name=forms.shown(name, "officer name", limit=forms.MAX_NAME, one_script=True),
        text=forms.shown(text, "text", limit=forms.MAX_TEXT, lines=forms.MAX_LINES),
        area=forms.outline(value["area"]),
    )
