"""What holds for every parser of foreign bytes and for every house: refusals only, linear cost, no way around."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.consent.limits_of_owner import OwnerLimits
from agent.consent.notices import check_alert, check_cancel
from agent.consent.outcome import FloodCounts
from agent.core.envelope import sign
from agent.core.errors import RefusedError
from agent.core.strict_json import parse
from tests.consent.checking import VIEW, check
from tests.fakes.consent_requests import (
    AGENCY,
    CAMERA,
    DISPATCH,
    NOW_S,
    OTHER_AGENCY,
    SIGN,
    signed_request,
)

GOOD = signed_request()


@given(st.binary(max_size=400))
def test_any_bytes_end_at_check_2_and_nothing_is_raised(raw: bytes) -> None:
    outcome = check(raw)
    assert outcome.check == 2
    assert outcome.code in {"E_JSON", "E_ENVELOPE"}
    assert not outcome.remember


@given(st.binary(max_size=400))
def test_any_payload_that_both_signed_ends_at_check_5_and_nothing_is_raised(payload: bytes) -> None:
    outcome = check(sign("request", payload, (DISPATCH, SIGN)))
    assert outcome.check == 5
    assert outcome.code in {"E_JSON", "E_SCHEMA"}


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_request_with_one_changed_byte_passes_only_as_what_was_signed(at: int, byte: int) -> None:
    raw = GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]
    assert (check(raw).code == "OK") is (raw == GOOD)


@given(st.binary(max_size=400))
def test_any_bytes_are_no_notice_and_nothing_else_is_raised(raw: bytes) -> None:
    with pytest.raises(RefusedError):
        check_cancel(raw, view=VIEW)
    with pytest.raises(RefusedError):
        check_alert(raw, view=VIEW, now_s=NOW_S, trusted=True, camera=CAMERA, seen=(), muted=False, shown_24h=0)


SMALL = st.integers(0, 60)
OWN_LIMIT = st.none() | st.sampled_from([0, 1, 3_599, 3_600, 7_140, 90_000, 10**9])


@given(
    enabled=st.booleans(),
    muted=st.frozensets(st.sampled_from([AGENCY, OTHER_AGENCY])),
    own=st.tuples(OWN_LIMIT, OWN_LIMIT, OWN_LIMIT),
    trusted=st.booleans(),
    footage=st.booleans(),
    inside=st.booleans(),
    figures=st.tuples(SMALL, SMALL, SMALL, SMALL),
)
def test_no_house_lets_a_request_through_that_its_owner_did_not_let_in(
    enabled: bool,
    muted: frozenset[str],
    own: tuple[int | None, int | None, int | None],
    trusted: bool,
    footage: bool,
    inside: bool,
    figures: tuple[int, int, int, int],
) -> None:
    window, area, lookback = own
    outcome = check(
        GOOD,
        owner=OwnerLimits(enabled, muted, window, area, lookback),
        trusted=trusted,
        camera=CAMERA if inside else (0, 0),
        overlaps=lambda _from_ms, _to_ms: footage,
        counts=lambda _request: FloodCounts(*figures),
    )
    lets_in = (
        enabled
        and AGENCY not in muted
        and (window is None or window >= 3_600)
        and (lookback is None or lookback >= 7_140)
        and (area is None or area >= 90_000)
    )
    calm = all(figure < most for figure, most in zip(figures, (5, 2, 20, 50), strict=True))
    assert (outcome.code == "OK") is (lets_in and trusted and inside and footage and calm)


@pytest.mark.parametrize(
    "raw",
    [
        b'"' + b'\\"' * 500_000,
        b'{"' + b'\\"' * 500_000,
        b"[" * 1_000_000,
        b'[["' * 300_000,
        b"9" * 1_000_000,
        b" " * 1_000_000,
        b"\\" * 1_000_000,
        b'"' * 1_000_001,
        b"[" + b'"a",' * 250_000,
    ],
    ids=["quotes", "key", "brackets", "mixed", "digits", "blanks", "backslashes", "open", "list"],
)
def test_a_megabyte_of_anything_is_refused_in_linear_time(raw: bytes) -> None:
    begin = time.process_time()
    with pytest.raises(RefusedError):
        parse(raw, max_bytes=2_000_000)
    assert time.process_time() - begin < 2.0
