"""The directory's files as frozen types: protocol section 4.

Pure: bytes in, types out. That the bytes are the platform's is TUF's business (`tuf_directory`). A file with an
unknown key, a missing one or a text that may not be shown is refused whole; a weak or misnamed signing key is no
fault of the file (`directory_keys`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent.consent import forms
from agent.consent.directory_keys import EncKey, SignKey, enc_keys, sign_keys
from agent.consent.limits_of_owner import Limits
from agent.core.directory_paths import MAX_TARGET_BYTES
from agent.core.errors import RefusedError
from agent.core.geo import MAX_LON_E7, Point
from agent.core.strict_json import Json, closed, parse
from agent.core.text import MAX_DIRECTORY_TEXT

MAX_PORT: Final = 65_535
MAX_CENTRE_LAT_E7: Final = 900_000_000  # a pole: section 4 sets no limit, and a centre is no request's area

# A name or IPv4 address, or an IPv6 address without brackets.
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|(?=(?:[^:]*:){2})[0-9A-Fa-f:.]{2,45}")
_BASE: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}){0,8}")

_PLATFORM_KEYS: Final = frozenset(
    {"v", "name", "version", "issued", "dispatch", "receipt", "endpoints", "incidents"}
)
_ENDPOINT_KEYS: Final = frozenset({"host", "port", "base"})
_AGENCY_KEYS: Final = frozenset(
    {
        *("v", "id", "name", "country", "region", "status", "sign", "enc", "endpoints"),
        *("limits", "contact", "centre"),
    }
)
_LIMITS_KEYS: Final = frozenset({"area_m2", "window_s", "lookback_s", "ttl_s"})
_CONTACT_KEYS: Final = frozenset({"phone", "web"})
_REGION_KEYS: Final = frozenset({"v", "agencies"})
_REGION_AGENCY_KEYS: Final = frozenset({"id", "name", "centre"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an upload goes: `https://host:port` + `base`."""

    host: str
    port: int
    base: str


@dataclass(frozen=True, slots=True)
class Platform:
    """`platform.json`; `raw` is the file as it was verified."""

    name: str
    version: int
    issued_s: int
    dispatch: tuple[SignKey, ...]
    receipt: tuple[SignKey, ...]
    endpoints: Mapping[str, Endpoint]
    incidents: frozenset[str]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Agency:
    """`agencies/<id>.json`; `raw` is the file as it was verified."""

    id: str
    name: str
    country: str
    region: str
    status: Literal["active", "suspended"]
    sign: tuple[SignKey, ...]
    enc: tuple[EncKey, ...]
    endpoints: frozenset[str]
    limits: Limits
    contact_phone: str
    contact_web: str
    centre: Point
    raw: bytes


@dataclass(frozen=True, slots=True)
class RegionAgency:
    """An agency as the owner's list and map name it."""

    id: str
    name: str
    centre: Point


@dataclass(frozen=True, slots=True)
class Region:
    """`regions/<3-cell>.json`."""

    cell: str
    agencies: tuple[RegionAgency, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class DirectoryView:
    """What the vault holds of the directory at one moment; never changed, only replaced.

    Attributes:
        platform: the verified `platform.json`.
        agencies: what was looked up under it: the file, or None where there is none. An id that is missing
            was not looked up yet.
        timestamp_expires_s: when the TUF timestamp runs out, unix seconds; from then on no share.
    """

    platform: Platform
    agencies: Mapping[str, Agency | None]
    timestamp_expires_s: int


def parse_platform(raw: bytes) -> Platform:
    """Parse `platform.json`.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA or E_TEXT.
    """
    value = closed(parse(raw, max_bytes=MAX_TARGET_BYTES), _PLATFORM_KEYS, "E_SCHEMA", "platform.json")
    forms.version_1(value["v"])
    return Platform(
        name=_shown(value["name"], "the platform's name"),
        version=forms.integer(value["version"], "version"),
        issued_s=forms.integer(value["issued"], "issued"),
        dispatch=sign_keys(value["dispatch"], "dispatch"),
        receipt=sign_keys(value["receipt"], "receipt"),
        endpoints=_endpoints(value["endpoints"]),
        incidents=frozenset(
            forms.formed(item, forms.INCIDENT, "an incident")
            for item in forms.items(value["incidents"], "incidents")
        ),
        raw=bytes(raw),
    )


def parse_agency(raw: bytes, agency_id: str) -> Agency:
    """Parse `agencies/<agency_id>.json`.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA (also when the file names another agency) or E_TEXT.
    """
    value = closed(parse(raw, max_bytes=MAX_TARGET_BYTES), _AGENCY_KEYS, "E_SCHEMA", "the agency's file")
    forms.version_1(value["v"])
    if forms.formed(value["id"], forms.AGENCY, "id") != agency_id:
        raise RefusedError("E_SCHEMA", "the file names another agency")
    contact = closed(value["contact"], _CONTACT_KEYS, "E_SCHEMA", "contact")
    return Agency(
        id=agency_id,
        name=_shown(value["name"], "the agency's name"),
        country=_shown(value["country"], "country"),
        region=_shown(value["region"], "region"),
        status=_status(value["status"]),
        sign=sign_keys(value["sign"], "sign"),
        enc=enc_keys(value["enc"], "enc"),
        endpoints=frozenset(
            forms.formed(item, forms.ENDPOINT, "an endpoint")
            for item in forms.items(value["endpoints"], "endpoints")
        ),
        limits=_limits(value["limits"]),
        contact_phone=_shown(contact["phone"], "contact phone"),
        contact_web=_shown(contact["web"], "contact web"),
        centre=_centre(value["centre"]),
        raw=bytes(raw),
    )


def parse_region(raw: bytes, cell: str) -> Region:
    """Parse `regions/<cell>.json`.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA or E_TEXT.
    """
    value = closed(parse(raw, max_bytes=MAX_TARGET_BYTES), _REGION_KEYS, "E_SCHEMA", "the region's file")
    forms.version_1(value["v"])
    listed = forms.items(value["agencies"], "agencies")
    return Region(cell, tuple(_region_agency(item) for item in listed), bytes(raw))


def _region_agency(value: Json) -> RegionAgency:
    item = closed(value, _REGION_AGENCY_KEYS, "E_SCHEMA", "a region's agency")
    return RegionAgency(
        forms.formed(item["id"], forms.AGENCY, "id"), _shown(item["name"], "a name"), _centre(item["centre"])
    )


def _shown(value: Json, what: str) -> str:
    return forms.shown(forms.string(value, what), what, limit=MAX_DIRECTORY_TEXT)


def _status(value: Json) -> Literal["active", "suspended"]:
    if value == "active":
        return "active"
    if value == "suspended":
        return "suspended"
    raise RefusedError("E_SCHEMA", "status is neither active nor suspended")


def _endpoints(value: Json) -> Mapping[str, Endpoint]:
    if not isinstance(value, dict):
        raise RefusedError("E_SCHEMA", "endpoints is no object")
    return {forms.formed(name, forms.ENDPOINT, "an endpoint"): _endpoint(item) for name, item in value.items()}


def _endpoint(value: Json) -> Endpoint:
    item = closed(value, _ENDPOINT_KEYS, "E_SCHEMA", "an endpoint")
    return Endpoint(
        forms.formed(item["host"], _HOST, "an endpoint's host"),
        forms.integer(item["port"], "an endpoint's port", low=1, high=MAX_PORT),
        forms.formed(item["base"], _BASE, "an endpoint's base"),
    )


def _limits(value: Json) -> Limits:
    item = closed(value, _LIMITS_KEYS, "E_SCHEMA", "limits")
    return Limits(
        window_s=forms.integer(item["window_s"], "window_s"),
        area_m2=forms.integer(item["area_m2"], "area_m2"),
        lookback_s=forms.integer(item["lookback_s"], "lookback_s"),
        ttl_s=forms.integer(item["ttl_s"], "ttl_s"),
    )


def _centre(value: Json) -> Point:
    match value:
        case [lat, lon]:
            return (
                forms.integer(lat, "centre", low=-MAX_CENTRE_LAT_E7, high=MAX_CENTRE_LAT_E7),
                forms.integer(lon, "centre", low=-MAX_LON_E7, high=MAX_LON_E7),
            )
    raise RefusedError("E_SCHEMA", "centre is not two integers")
