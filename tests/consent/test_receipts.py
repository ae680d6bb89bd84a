"""A receipt ends a request only when it verifies, names this submission, and lists exactly its segments."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.consent.directory import parse_platform
from agent.consent.receipts import check_receipt
from agent.core.envelope import sign
from agent.core.errors import RefusedError
from agent.core.ids import Id, sha256_hex
from tests.fakes.platform import FakePlatform

NOW_S = 1_800_000_000
REQUEST = Id("1" * 32)
SUBMISSION = sha256_hex(b"submission")
SEGMENTS = [sha256_hex(b"one"), sha256_hex(b"two")]
GOOD: dict[str, Any] = {
    "v": 1,
    "submission_sha256": SUBMISSION,
    "request": REQUEST,
    "segments": SEGMENTS,
    "received_at": NOW_S,
}


@pytest.fixture(scope="module")
def house() -> FakePlatform:
    made = FakePlatform(NOW_S)
    made.refresh(None)
    return made


def _check(house: FakePlatform, raw: bytes) -> bytes:
    assert house.view is not None
    platform = parse_platform(house.view.platform.raw)
    return check_receipt(raw, platform=platform, request=REQUEST, submission_sha256=SUBMISSION, segments=SEGMENTS)


def test_a_good_receipt_is_taken_in_any_order_of_its_segments(house: FakePlatform) -> None:
    for listed in (SEGMENTS, SEGMENTS[::-1]):
        payload = json.dumps({**GOOD, "segments": listed}).encode()
        assert _check(house, sign("receipt", payload, [house.receipt])) == payload


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": 2}, "E_RECEIPT"),
        ({"request": "x"}, "E_RECEIPT"),
        ({"request": "2" * 32}, "E_RECEIPT"),
        ({"submission_sha256": "0" * 64}, "E_RECEIPT"),
        ({"segments": SEGMENTS[:1]}, "E_RECEIPT"),
        ({"segments": [*SEGMENTS, SEGMENTS[0]]}, "E_RECEIPT"),
        ({"segments": "all"}, "E_RECEIPT"),
        ({"segments": ["x"]}, "E_RECEIPT"),
        ({"received_at": "today"}, "E_RECEIPT"),
        ({"received_at": -1}, "E_RECEIPT"),
        ({"received_at": 1}, "E_KEY"),
        ({"more": 1}, "E_RECEIPT"),
    ],
)
def test_a_receipt_that_says_anything_else_is_refused(
    house: FakePlatform, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        _check(house, sign("receipt", json.dumps({**GOOD, **change}).encode(), [house.receipt]))
    assert refused.value.code == code


def test_a_receipt_by_another_key_or_of_another_type_is_refused(house: FakePlatform) -> None:
    payload = json.dumps(GOOD).encode()
    for raw, code in (
        (sign("receipt", payload, [Ed25519PrivateKey.generate()]), "E_SIG"),
        (sign("consent", payload, [house.receipt]), "E_TYPE"),
    ):
        with pytest.raises(RefusedError) as refused:
            _check(house, raw)
        assert refused.value.code == code
