"""JSON as protocol section 1 wants it.

Invariant: for any bytes, `parse` returns a value made of dict, list, str, int, bool and None, or raises
`RefusedError`; never anything else, however deep the input nests.
"""

import json
import re
from typing import Final, NoReturn, TypeAlias

from agent.core.errors import RefusedError

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | bool | None

MAX_DIGITS: Final = 16  # section 1
MAX_INTEGER: Final = 10**MAX_DIGITS - 1
# The deepest form of the protocol (a submission) nests 6 levels, and the C scanner recurses once a level. 64 is
# more than the brackets of an area of 32 points, so that a request never needs the slow look at its depth.
MAX_DEPTH: Final = 64

# Possessive, and content to end with the input: an unclosed string is scanned once, not from each of its quotes.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _refuse_float(text: str) -> NoReturn:
    raise RefusedError("E_JSON", f"{text[:20]} is not an integer")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise RefusedError("E_JSON", "an integer has more than 16 digits")
    if text == "-0":
        raise RefusedError("E_JSON", "-0 is not an integer")
    return int(text)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise RefusedError("E_JSON", "a key stands twice")
    return result


def _check_depth(raw: bytes) -> None:
    """Refuse deep nesting before the recursive parser sees it."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return  # the usual message: too few brackets to nest deeply
    depth = 0
    for bracket in _BRACKETS.finditer(_STRING.sub(b"", raw)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise RefusedError("E_JSON", "nested too deeply")


def parse(raw: bytes | bytearray | memoryview, *, max_bytes: int) -> Json:
    """Parse strict JSON of at most `max_bytes` bytes.

    Raises:
        RefusedError: E_SIZE when it is longer; E_JSON for anything that is not strict JSON: no UTF-8, a BOM,
            duplicate keys, floats, NaN, integers of more than 16 digits, lone surrogates, deep nesting.
    """
    if len(raw) > max_bytes:
        raise RefusedError("E_SIZE", f"longer than {max_bytes} bytes")
    raw = bytes(raw)
    _check_depth(raw)
    try:
        text = raw.decode("utf-8")
        value: Json = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_refuse_float,
            parse_int=_integer,
            parse_constant=_refuse_float,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as exc:
        raise RefusedError("E_JSON", "not JSON") from exc
    if "\\u" in text and _has_surrogate(value):
        raise RefusedError("E_JSON", "half a character")
    return value


def _has_surrogate(value: Json) -> bool:
    if isinstance(value, str):
        return _SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_surrogate(key) or _has_surrogate(item) for key, item in value.items())
    if isinstance(value, list):
        return any(_has_surrogate(item) for item in value)
    return False


def dump(value: object) -> bytes:
    """Write compact JSON: UTF-8, keys in their given order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def closed(value: Json, keys: frozenset[str], code: str, what: str) -> dict[str, Json]:
    """Return `value` as an object that has exactly `keys`.

    Raises:
        RefusedError: `code`, when it is no object, or a key is unknown or missing.
    """
    if not isinstance(value, dict):
        raise RefusedError(code, f"{what} is no object")
    if value.keys() != keys:
        odd = sorted(value.keys() ^ keys)
        raise RefusedError(code, f"{what}: unknown or missing {odd[0][:40]!r}")
    return value


def is_integer(value: object, *, low: int, high: int) -> bool:
    """Say whether `value` is an integer (a boolean is none) within [low, high]."""
    return type(value) is int and low <= value <= high
