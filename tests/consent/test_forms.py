"""The bounds of single fields."""

import pytest

from agent.consent.forms import integer, octets, short, version_1
from agent.core.encoding import b64
from agent.core.errors import RefusedError


def test_integers_have_at_most_16_digits() -> None:
    assert integer(9_999_999_999_999_999, "x") == 9_999_999_999_999_999
    assert integer(0, "x") == 0
    for bad in (10_000_000_000_000_000, -1):
        with pytest.raises(RefusedError, match="x is not an integer"):
            integer(bad, "x")


def test_version_1_is_the_integer_1() -> None:
    version_1(1)
    for bad in (0, 2, True, "1", None):
        with pytest.raises(RefusedError):
            version_1(bad)


def test_a_short_string_has_one_to_limit_characters() -> None:
    assert short("a", "x", limit=2) == "a"
    assert short("ab", "x", limit=2) == "ab"
    for bad in ("", "abc", 1, None):
        with pytest.raises(RefusedError):
            short(bad, "x", limit=2)


def test_octets_are_canonical_base64_within_their_bounds() -> None:
    assert octets(b64(b"ab"), "x", low=2, high=3) == b"ab"
    assert octets(b64(b"abc"), "x", low=2, high=3) == b"abc"
    for bad in (b64(b"a"), b64(b"abcd"), "YQ", "!", None):
        with pytest.raises(RefusedError):
            octets(bad, "x", low=2, high=3)
