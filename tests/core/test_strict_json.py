"""JSON as section 1 allows it, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import RefusedError
from agent.core.strict_json import MAX_DEPTH, Json, closed, dump, is_integer, parse


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"{",
        b'{"a":1,"a":2}',
        b"1.0",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"-0",
        b"12345678901234567",
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b'["\\ud800"]',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"",
        b"1 2",
    ],
)
def test_what_is_not_strict_json_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(raw, max_bytes=1_000_000)
    assert refused.value.code == "E_JSON"


def test_strict_json_is_read() -> None:
    assert parse(b'{"a":[1,-2,true,null,"\\u00e9"]}', max_bytes=100) == {"a": [1, -2, True, None, "é"]}
    assert parse(b"9999999999999999", max_bytes=100) == 10**16 - 1
    nested = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse(nested, max_bytes=10_000) is not None
    brackets_in_text = json.dumps(["[" * (MAX_DEPTH + 1)]).encode()
    assert parse(brackets_in_text, max_bytes=10_000) == ["[" * (MAX_DEPTH + 1)]


def test_the_size_is_checked_before_anything_else() -> None:
    with pytest.raises(RefusedError) as refused:
        parse(b"[" * 11, max_bytes=10)
    assert refused.value.code == "E_SIZE"


@given(st.binary(max_size=200))
def test_parse_returns_json_or_refuses(raw: bytes) -> None:
    try:
        value = parse(raw, max_bytes=150)
    except RefusedError:
        return  # any other exception fails this test
    assert parse(dump(value), max_bytes=10_000) == value


def test_a_closed_object_has_exactly_its_keys() -> None:
    assert closed({"a": 1}, frozenset({"a"}), "E_X", "it") == {"a": 1}
    bad_ones: list[Json] = [[], {}, {"a": 1, "b": 2}]
    for bad in bad_ones:
        with pytest.raises(RefusedError, match="it"):
            closed(bad, frozenset({"a"}), "E_X", "it")


def test_a_boolean_is_no_integer() -> None:
    assert is_integer(1, low=0, high=1)
    assert not is_integer(True, low=0, high=1)
    assert not is_integer(2, low=0, high=1)
