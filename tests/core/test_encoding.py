"""Base64 in its canonical forms only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import encoding


@pytest.mark.parametrize("bad", [None, "YQ", "YR==", "Y Q==", "YQ==\n", "é"])
def test_only_canonical_base64_is_read(bad: object) -> None:
    with pytest.raises(ValueError, match=r"base64|string"):
        encoding.unb64(bad)


def test_base64_of_another_length_is_refused() -> None:
    assert encoding.unb64("YQ==", length=1) == b"a"
    with pytest.raises(ValueError, match="not 2 bytes"):
        encoding.unb64("YQ==", length=2)


@pytest.mark.parametrize("bad", ["YQ==", "YR", "Y+", "é", "YQQ"])
def test_only_canonical_base64url_is_read(bad: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        encoding.unb64url(bad, length=1)


@given(st.binary(max_size=64))
def test_base64url_is_read_back(raw: bytes) -> None:
    assert encoding.unb64url(encoding.b64url(raw), length=len(raw)) == raw
