"""A request as the agency and dispatch signed it, and the scope that the directory allowed: sections 6 and 7.

These are checks 4 to 9 of section 7 as far as they can be judged later and elsewhere: the owner's own lower
limits, the clock and the camera's point are known to the device alone.
"""

from dataclasses import dataclass
from typing import Final, cast

from agent.core.encoding import unb64
from agent.core.envelope import MAX_PAYLOAD_BYTES, Envelope, check_signature, payload_type
from agent.core.errors import RefusedError
from agent.core.geo import Point, area_m2, check_polygon
from agent.core.ids import Id, Sha256, sha256_hex
from agent.core.strict_json import MAX_INTEGER, Json, parse
from agent.core.text import is_text
from agent.evidence.directory_files import Agency, Platform, find_key, find_reply_key
from agent.evidence.forms import (
    AGENCY,
    COUNT,
    ID,
    KEY,
    NAME,
    OBJECT,
    ONE,
    TIME_S,
    Form,
    list_of,
    read,
    whole,
    word,
)

FLOOR_AREA_M2: Final = 65_000  # section 6
CEILING_AREA_M2: Final = 1_300_000  # section 6
CEILING_WINDOW_S: Final = 43_200  # section 6
CEILING_LOOKBACK_S: Final = 2_592_000  # section 6
CEILING_LIFE_S: Final = 604_800  # section 6

_POINT: Final = list_of(whole(-MAX_INTEGER, MAX_INTEGER), 2, 2)
_REQUEST_FORM: Final[Form] = {
    "v": ONE,
    "id": ID,
    "agency": AGENCY,
    "case": word(r"[A-Z0-9][A-Z0-9 ./_-]{1,38}[A-Z0-9]"),
    "incident": word(r"[a-z][a-z-]{2,31}"),
    "officer": OBJECT,
    "text": lambda value: is_text(value, limit=1_000, lines=12),
    "area": list_of(_POINT, 3, 32),
    "from": TIME_S,
    "to": TIME_S,
    "iat": TIME_S,
    "exp": TIME_S,
    "enc_pub": KEY,
    "ep": NAME,
    "dirv": COUNT,
}
_OFFICER_FORM: Final[Form] = {
    "name": lambda value: is_text(value, limit=80, one_script=True),
    "badge": word(r"[A-Za-z0-9-]{1,16}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for, and by whom; `sha256` is of the payload's bytes."""

    id: Id
    sha256: Sha256
    agency: str
    case: str
    incident: str
    officer: str
    badge: str
    text: str
    area: tuple[Point, ...]
    from_s: int
    to_s: int
    issued_s: int
    expires_s: int
    enc_public: bytes
    endpoint: str
    directory_version: int


def parse_request(payload: bytes) -> Request:
    """Parse a request's payload.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA, E_AREA.
    """
    item = read(parse(payload, max_bytes=MAX_PAYLOAD_BYTES), _REQUEST_FORM, "the request")
    officer = read(item["officer"], _OFFICER_FORM, "the officer")
    area = tuple((point[0], point[1]) for point in cast("list[list[int]]", item["area"]))
    check_polygon(area)
    return Request(
        id=Id(cast("str", item["id"])),
        sha256=sha256_hex(payload),
        agency=cast("str", item["agency"]),
        case=cast("str", item["case"]),
        incident=cast("str", item["incident"]),
        officer=cast("str", officer["name"]),
        badge=cast("str", officer["badge"]),
        text=cast("str", item["text"]),
        area=area,
        from_s=_integer(item["from"]),
        to_s=_integer(item["to"]),
        issued_s=_integer(item["iat"]),
        expires_s=_integer(item["exp"]),
        enc_public=unb64(item["enc_pub"]),
        endpoint=cast("str", item["ep"]),
        directory_version=_integer(item["dirv"]),
    )


def _integer(value: Json) -> int:
    return cast("int", value)


def verify_dispatch(envelope: Envelope, platform: Platform) -> Request:
    """Return what dispatch countersigned.

    Raises:
        RefusedError: E_TYPE, E_SIG, E_KEY, or what `parse_request` raises.
    """
    if envelope.payload_type != payload_type("request"):
        raise RefusedError("E_TYPE", "what was asked with is no request")
    found = [
        (signature, key)
        for signature in envelope.signatures
        if (key := find_key(platform.dispatch, signature.keyid)) is not None
    ]
    if len(found) != 1:
        raise RefusedError("E_SIG", "not exactly one dispatch key of the directory signed the request")
    signature, key = found[0]
    check_signature(envelope, signature, key.public)
    request = parse_request(envelope.payload)
    if not key.valid_at(request.issued_s):
        raise RefusedError("E_KEY", "the dispatch key was not valid when the request was issued")
    if platform.version < request.directory_version:
        raise RefusedError("E_DIRECTORY", "the request wants a newer directory than the bundle holds")
    return request


def verify_agency(envelope: Envelope, request: Request, platform: Platform, agency: Agency) -> None:
    """Check the agency's own signature, its reply key and endpoint, and the scope.

    Raises:
        RefusedError: E_AGENCY, E_SIG, E_KEY, E_REPLY, E_SCHEMA, E_ORDER, E_LIMIT.
    """
    if not agency.active:
        raise RefusedError("E_AGENCY", "the agency is suspended")
    found = [
        (signature, key)
        for signature in envelope.signatures
        if find_key(platform.dispatch, signature.keyid) is None
        and (key := find_key(agency.sign, signature.keyid)) is not None
    ]
    if len(found) != 1:
        raise RefusedError("E_SIG", "no sign key of the agency signed the request")
    signature, key = found[0]
    check_signature(envelope, signature, key.public)
    if not key.valid_at(request.issued_s):
        raise RefusedError("E_KEY", "the agency's key was not valid when the request was issued")
    if find_reply_key(agency.enc, request.enc_public, request.issued_s) is None:
        raise RefusedError("E_REPLY", "the request names a key that the agency has not")
    if request.endpoint not in agency.endpoints or request.endpoint not in platform.endpoints:
        raise RefusedError("E_REPLY", "the request names an upload server that the agency may not use")
    if request.incident not in platform.incidents:
        raise RefusedError("E_SCHEMA", "the directory knows no such incident")
    check_scope(request, agency)


def check_scope(request: Request, agency: Agency) -> None:
    """Check the order of times, and every size against the ceilings and the agency's own limits.

    Raises:
        RefusedError: E_ORDER, E_LIMIT.
    """
    if not request.from_s < request.to_s <= request.issued_s < request.expires_s:
        raise RefusedError("E_ORDER", "the request's times are out of order")
    size = area_m2(request.area)
    limits = (
        ("area", size, min(CEILING_AREA_M2, agency.area_m2)),
        ("window", request.to_s - request.from_s, min(CEILING_WINDOW_S, agency.window_s)),
        ("look-back", request.issued_s - request.from_s, min(CEILING_LOOKBACK_S, agency.lookback_s)),
        ("life", request.expires_s - request.issued_s, min(CEILING_LIFE_S, agency.ttl_s)),
    )
    for name, value, limit in limits:
        if value > limit:
            raise RefusedError("E_LIMIT", f"the request's {name} is over the limit: {value:.0f} of {limit}")
    if size < FLOOR_AREA_M2:
        raise RefusedError("E_LIMIT", f"the request's area is under {FLOOR_AREA_M2} m²")
