"""The fields that consents, actions and pairing bodies are made of.

Each function takes a parsed JSON value and returns it typed, or raises E_SCHEMA with the name of the field.
"""

import re
from typing import Final

from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, Sha256, is_id, is_kid, is_sha256
from agent.core.strict_json import Json, is_integer

MAX_INTEGER: Final = 10**16 - 1  # section 1: at most 16 digits
_AGENCY: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]", re.ASCII)  # section 6


def _refuse(field: str) -> RefusedError:
    return RefusedError("E_SCHEMA", f"{field} has the wrong form")


def version_1(value: Json) -> None:
    """Refuse every version but 1; `true` is not 1."""
    if not is_integer(value, low=1, high=1):
        raise _refuse("v")


def integer(value: Json, field: str, *, low: int = 0, high: int = MAX_INTEGER) -> int:
    """Return an integer within [low, high]; a boolean is none."""
    if not isinstance(value, int) or not is_integer(value, low=low, high=high):
        raise _refuse(field)
    return value


def boolean(value: Json, field: str) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise _refuse(field)
    return value


def short(value: Json, field: str, *, limit: int) -> str:
    """Return a string of 1 to `limit` characters that nobody is shown: a name that is only compared."""
    if not isinstance(value, str) or not 1 <= len(value) <= limit:
        raise _refuse(field)
    return value


def one_of(value: Json, field: str, allowed: frozenset[str]) -> str:
    """Return one of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise _refuse(field)
    return value


def id_form(value: Json, field: str) -> Id:
    """Return an id."""
    if not is_id(value):
        raise _refuse(field)
    return value


def kid_form(value: Json, field: str) -> Kid:
    """Return a kid."""
    if not is_kid(value):
        raise _refuse(field)
    return value


def sha256_form(value: Json, field: str) -> Sha256:
    """Return a hash."""
    if not is_sha256(value):
        raise _refuse(field)
    return value


def agency_form(value: Json, field: str) -> str:
    """Return the id of an agency."""
    if not isinstance(value, str) or _AGENCY.fullmatch(value) is None:
        raise _refuse(field)
    return value


def octets(value: Json, field: str, *, low: int, high: int) -> bytes:
    """Return what canonical base64 of `low` to `high` bytes stands for."""
    try:
        data = unb64(value)
    except ValueError as exc:
        raise _refuse(field) from exc
    if not low <= len(data) <= high:
        raise _refuse(field)
    return data
