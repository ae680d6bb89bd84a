r"""The forms that foreign values must have: protocol sections 4, 6, 8, 10 and 11.

Each function returns its value typed, or raises `RefusedError` with the code of that kind of fault. The order
in which they are called is the order in which faults are named. Patterns are used with `fullmatch` only, so
a trailing newline never slips through a `$`.
"""

import re
from typing import Final

from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.geo import Point, check_polygon
from agent.core.ids import Id, Kid, Sha256, is_id, is_kid, is_sha256
from agent.core.keys import KEY_BYTES
from agent.core.strict_json import MAX_INTEGER, Json
from agent.core.text import is_text

AGENCY: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]")  # section 6
BADGE: Final = re.compile(r"[A-Za-z0-9-]{1,16}")  # section 6
CASE: Final = re.compile(r"[A-Z0-9][A-Z0-9 ./_-]{1,38}[A-Z0-9]")  # section 6
CELL: Final = re.compile(r"[0-9b-hjkmnp-z]{3}")  # section 4: a geohash of three characters
ENDPOINT: Final = re.compile(r"[\x21-\x7e]{1,64}")  # an id of section 4, which says no more of it
INCIDENT: Final = re.compile(r"[a-z][a-z-]{2,31}")  # section 4

MAX_TEXT: Final = 1_000  # section 6
MAX_LINES: Final = 12  # section 6
MAX_NAME: Final = 80  # sections 6 and 8: officer's name, alert's title


def version_1(value: Json) -> None:
    """Take only the integer 1, which is the version of every form in the protocol."""
    if type(value) is not int or value != 1:
        raise RefusedError("E_SCHEMA", "v is not 1")


def integer(value: Json, what: str, *, low: int = 0, high: int = MAX_INTEGER) -> int:
    """Return an integer within [low, high]; a boolean is none."""
    if type(value) is not int or not low <= value <= high:
        raise RefusedError("E_SCHEMA", f"{what} is not an integer from {low} to {high}")
    return value


def string(value: Json, what: str) -> str:
    """Return a string whose content is judged later."""
    if not isinstance(value, str):
        raise RefusedError("E_SCHEMA", f"{what} is not a string")
    return value


def nonempty(value: Json, what: str) -> str:
    """Return a string of at least one character that is looked up, never shown or followed."""
    if not isinstance(value, str) or not value:
        raise RefusedError("E_SCHEMA", f"{what} is not a name")
    return value


def formed(value: Json, pattern: re.Pattern[str], what: str) -> str:
    """Return a string that `pattern` matches as a whole."""
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise RefusedError("E_SCHEMA", f"{what} has not its form")
    return value


def short(value: Json, what: str, *, limit: int) -> str:
    """Return a string of 1 to `limit` characters that nobody is shown: a name that is only compared."""
    if not isinstance(value, str) or not 1 <= len(value) <= limit:
        raise RefusedError("E_SCHEMA", f"{what} is not a name of at most {limit} characters")
    return value


def boolean(value: Json, what: str) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise RefusedError("E_SCHEMA", f"{what} is not true or false")
    return value


def one_of(value: Json, what: str, allowed: frozenset[str]) -> str:
    """Return one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise RefusedError("E_SCHEMA", f"{what} is none of the allowed words")
    return value


def id_form(value: Json, what: str) -> Id:
    """Return an id of section 1."""
    if not is_id(value):
        raise RefusedError("E_SCHEMA", f"{what} is not 32 hex digits")
    return value


def kid_form(value: Json, what: str) -> Kid:
    """Return a kid."""
    if not is_kid(value):
        raise RefusedError("E_SCHEMA", f"{what} is not 16 hex digits")
    return value


def sha256_form(value: Json, what: str) -> Sha256:
    """Return a hash."""
    if not is_sha256(value):
        raise RefusedError("E_SCHEMA", f"{what} is not 64 hex digits")
    return value


def octets(value: Json, what: str, *, low: int, high: int) -> bytes:
    """Return what canonical base64 of `low` to `high` bytes stands for."""
    try:
        data = unb64(value)
    except ValueError as exc:
        raise RefusedError("E_SCHEMA", f"{what} is not base64") from exc
    if not low <= len(data) <= high:
        raise RefusedError("E_SCHEMA", f"{what} is not of {low} to {high} bytes")
    return data


def key_bytes(value: Json, what: str) -> bytes:
    """Return the 32 bytes of a public key; whether they are a good one is judged later."""
    return octets(value, what, low=KEY_BYTES, high=KEY_BYTES)


def items(value: Json, what: str) -> list[Json]:
    """Return a list."""
    if not isinstance(value, list):
        raise RefusedError("E_SCHEMA", f"{what} is not a list")
    return value


def shown(value: str, what: str, *, limit: int, lines: int = 1, one_script: bool = False) -> str:
    """Return text that a person may be shown (section 1, *text*); E_TEXT when it may not be."""
    if not is_text(value, limit=limit, lines=lines, one_script=one_script):
        raise RefusedError("E_TEXT", f"{what} is not plain text of 1 to {limit} characters")
    return value


def outline(value: Json) -> tuple[Point, ...]:
    """Return the points of an area of section 6, whatever its size; every fault of it is E_AREA."""
    if not isinstance(value, list):
        raise RefusedError("E_AREA", "area is not a list")
    points = tuple(_point(item) for item in value)
    check_polygon(points)
    return points


def _point(value: Json) -> Point:
    match value:
        case [lat, lon] if type(lat) is int and type(lon) is int:
            return (lat, lon)
    raise RefusedError("E_AREA", "a point is not two integers")
