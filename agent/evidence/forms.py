"""Closed forms of what a bundle holds: an object is exactly its named fields, each of its own form.

The verifier reads every form by itself, apart from the device's own parsers: what it says must not lean on the
code that it judges. Both walk the same vectors.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.ids import is_id, is_kid, is_sha256
from agent.core.keys import KEY_BYTES
from agent.core.strict_json import MAX_INTEGER, Json, closed

MAX_UNIX_S: Final = 253_370_764_799  # the last second of the year 9998: can be written in every time zone
MAX_NAME: Final = 200

Test: TypeAlias = Callable[[Json], bool]
Form: TypeAlias = Mapping[str, Test]


def read(value: Json, form: Form, what: str) -> dict[str, Json]:
    """Return `value` as an object that has exactly the form's fields.

    Raises:
        RefusedError: E_SCHEMA, and which field of `what` it was.
    """
    item = closed(value, frozenset(form), "E_SCHEMA", what)
    for name, test in form.items():
        if not test(item[name]):
            raise RefusedError("E_SCHEMA", f"{what}: {name} has the wrong form")
    return item


def whole(low: int = 0, high: int = MAX_INTEGER) -> Test:
    """Return a test for an integer within [low, high]; a boolean is none."""
    return lambda value: type(value) is int and low <= value <= high


def octets(length: int) -> Test:
    """Return a test for canonical base64 of that many bytes."""
    return lambda value: _decodes(value, length)


def word(pattern: str) -> Test:
    """Return a test for a string that matches as a whole."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def one_of(*allowed: str) -> Test:
    """Return a test for one of these words."""
    return lambda value: isinstance(value, str) and value in allowed


def nullable(test: Test) -> Test:
    """Return a test that takes null too."""
    return lambda value: value is None or test(value)


def list_of(test: Test, low: int, high: int) -> Test:
    """Return a test for a list of `low` to `high` things of one form."""
    return lambda value: isinstance(value, list) and low <= len(value) <= high and all(map(test, value))


def _decodes(value: Json, length: int | None) -> bool:
    try:
        unb64(value, length=length)
    except ValueError:
        return False
    return True


def _any_octets(value: Json) -> bool:
    return _decodes(value, None)


def _object(value: Json) -> bool:
    return isinstance(value, dict)


def _name(value: Json) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_NAME


def _string(value: Json) -> bool:
    return isinstance(value, str)


ONE: Final = whole(1, 1)
TIME_S: Final = whole(0, MAX_UNIX_S)
TIME_MS: Final = whole(0, MAX_UNIX_S * 1000)
COUNT: Final = whole()
KEY: Final = octets(KEY_BYTES)
BASE64: Final[Test] = _any_octets
OBJECT: Final[Test] = _object
STRING: Final[Test] = _string
ID: Final[Test] = is_id
KID: Final[Test] = is_kid
SHA256: Final[Test] = is_sha256
AGENCY: Final = word(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]")  # section 6
NAME: Final[Test] = _name
