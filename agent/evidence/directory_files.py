"""The target files of the directory that a bundle carries: protocol section 4.

A key is looked up by its kid and used only inside its time. A weak or misnamed key stays in its file and
verifies nothing: `check_signature` refuses it. A good key of the same kid goes on working (section 2).
"""

from dataclasses import dataclass
from typing import Final, cast

from agent.core.directory_paths import MAX_TARGET_BYTES
from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.ids import Kid, kid_of
from agent.core.keys import is_weak, load_open_key
from agent.core.strict_json import Json, parse
from agent.core.text import MAX_DIRECTORY_TEXT, is_text
from agent.evidence.forms import (
    AGENCY,
    COUNT,
    KEY,
    KID,
    NAME,
    OBJECT,
    ONE,
    Form,
    list_of,
    one_of,
    read,
    whole,
    word,
)

_MAX_LISTED: Final = 1_024

_KEY_FORM: Final[Form] = {"kid": KID, "pub": KEY, "nbf": COUNT, "exp": COUNT}
_KEYS: Final = list_of(OBJECT, 0, _MAX_LISTED)
_PLATFORM_FORM: Final[Form] = {
    "v": ONE,
    "name": lambda value: is_text(value, limit=MAX_DIRECTORY_TEXT),
    "version": COUNT,
    "issued": COUNT,
    "dispatch": _KEYS,
    "receipt": _KEYS,
    "endpoints": OBJECT,
    "incidents": list_of(word(r"[a-z][a-z-]{2,31}"), 0, _MAX_LISTED),
}
_AGENCY_FORM: Final[Form] = {
    "v": ONE,
    "id": AGENCY,
    "name": lambda value: is_text(value, limit=MAX_DIRECTORY_TEXT),
    "country": lambda value: is_text(value, limit=MAX_DIRECTORY_TEXT),
    "region": lambda value: is_text(value, limit=MAX_DIRECTORY_TEXT),
    "status": one_of("active", "suspended"),
    "sign": _KEYS,
    "enc": _KEYS,
    "endpoints": list_of(NAME, 0, _MAX_LISTED),
    "limits": OBJECT,
    "contact": OBJECT,
    "centre": list_of(whole(-1_800_000_000, 1_800_000_000), 2, 2),
}
_LIMITS_FORM: Final[Form] = {"area_m2": COUNT, "window_s": COUNT, "lookback_s": COUNT, "ttl_s": COUNT}
_CONTACT_FORM: Final[Form] = {
    "phone": lambda value: is_text(value, limit=MAX_DIRECTORY_TEXT),
    "web": lambda value: is_text(value, limit=MAX_DIRECTORY_TEXT),
}


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as the directory lists it: valid when `nbf_s ≤ t < exp_s`."""

    kid: Kid
    public: bytes
    nbf_s: int
    exp_s: int

    def valid_at(self, time_s: int) -> bool:
        """Say whether the key was valid then."""
        return self.nbf_s <= time_s < self.exp_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What `platform.json` says, as far as a verifier needs it."""

    name: str
    version: int
    dispatch: tuple[ListedKey, ...]
    receipt: tuple[ListedKey, ...]
    endpoints: frozenset[str]
    incidents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """What an agency's file says, as far as a verifier needs it."""

    id: str
    name: str
    active: bool
    sign: tuple[ListedKey, ...]
    enc: tuple[ListedKey, ...]
    endpoints: frozenset[str]
    area_m2: int
    window_s: int
    lookback_s: int
    ttl_s: int
    contact: tuple[str, str]


def find_key(keys: tuple[ListedKey, ...], kid: Kid) -> ListedKey | None:
    """Return the key of that name, or None; one that can verify goes before one that is weak or misnamed."""
    named = [key for key in keys if key.kid == kid]
    good = (key for key in named if kid_of(key.public) == kid and not is_weak(key.public))
    return next(good, named[0] if named else None)


def find_reply_key(keys: tuple[ListedKey, ...], public: bytes, time_s: int) -> ListedKey | None:
    """Return the key with these bytes that could be sealed to then: neither weak nor misnamed, and in its time."""
    try:
        load_open_key(public)
    except RefusedError:
        return None
    kid = kid_of(public)
    return next((key for key in keys if (key.kid, key.public) == (kid, public) and key.valid_at(time_s)), None)


def _keys(value: Json, what: str) -> tuple[ListedKey, ...]:
    items = [read(item, _KEY_FORM, what) for item in cast("list[Json]", value)]
    return tuple(
        ListedKey(
            Kid(cast("str", item["kid"])),
            unb64(item["pub"]),
            cast("int", item["nbf"]),
            cast("int", item["exp"]),
        )
        for item in items
    )


def parse_platform(raw: bytes) -> Platform:
    """Parse `platform.json`.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA.
    """
    item = read(parse(raw, max_bytes=MAX_TARGET_BYTES), _PLATFORM_FORM, "platform.json")
    return Platform(
        name=cast("str", item["name"]),
        version=cast("int", item["version"]),
        dispatch=_keys(item["dispatch"], "a dispatch key"),
        receipt=_keys(item["receipt"], "a receipt key"),
        endpoints=frozenset(cast("dict[str, Json]", item["endpoints"])),
        incidents=frozenset(cast("list[str]", item["incidents"])),
    )


def parse_agency(raw: bytes, agency: str) -> Agency:
    """Parse the file of `agency`.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA; E_AGENCY when it is another agency's.
    """
    item = read(parse(raw, max_bytes=MAX_TARGET_BYTES), _AGENCY_FORM, "the agency's file")
    if item["id"] != agency:
        raise RefusedError("E_AGENCY", "the agency's file is another agency's")
    limits = read(item["limits"], _LIMITS_FORM, "the agency's limits")
    contact = read(item["contact"], _CONTACT_FORM, "the agency's contact")
    return Agency(
        id=agency,
        name=cast("str", item["name"]),
        active=item["status"] == "active",
        sign=_keys(item["sign"], "a sign key"),
        enc=_keys(item["enc"], "an enc key"),
        endpoints=frozenset(cast("list[str]", item["endpoints"])),
        area_m2=cast("int", limits["area_m2"]),
        window_s=cast("int", limits["window_s"]),
        lookback_s=cast("int", limits["lookback_s"]),
        ttl_s=cast("int", limits["ttl_s"]),
        contact=(cast("str", contact["phone"]), cast("str", contact["web"])),
    )
