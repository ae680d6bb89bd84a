"""An adversary who sends what parsers choke on, at every door of the vault that takes JSON."""

from collections.abc import Callable

import pytest

from agent.consent.actions import ActionFacts, check_action
from agent.consent.consents import check_consent
from agent.consent.nonces import Nonces
from agent.consent.pairing import parse_pair_body
from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.strict_json import parse
from tests.fakes.consent_house import ANNA, NOW_NS, House

BOMBS = {
    "deep arrays": b"[" * 10_000,
    "deep objects": b'{"a":' * 10_000,
    "deep and closed": b"[" * 5_000 + b"]" * 5_000,
    "a key twice": b'{"v":1,"v":1}',
    "a float": b'{"v":1.0}',
    "an exponent": b'{"v":1e9}',
    "NaN": b'{"v":NaN}',
    "infinity": b'{"v":-Infinity}',
    "17 digits": b'{"v":12345678901234567}',
    "10,000 digits": b'{"v":' + b"9" * 10_000 + b"}",
    "minus zero": b'{"v":-0}',
    "a BOM": b"\xef\xbb\xbf{}",
    "UTF-16": '{"v":1}'.encode("utf-16"),
    "overlong UTF-8": b'{"\xc0\xaf":1}',
    "half a character": b'{"v":"\\ud800"}',
    "a NUL": b'{"v":1}\0',
    "two values": b"{}{}",
    "a trailing comma": b'{"v":1,}',
    "a comment": b'{"v":1}//',
    "single quotes": b"{'v':1}",
    "nothing": b"",
}


def _envelope(raw: bytes) -> None:
    parse_envelope(raw, counts=(1, 2))


def _consent(raw: bytes) -> None:
    check_consent(raw, House().facts())


def _consent_payload(raw: bytes) -> None:
    check_consent(sign("consent", raw, [ANNA.sign_key]), House().facts())


def _action_payload(raw: bytes) -> None:
    facts = ActionFacts(phones={ANNA.kid: ANNA.known}, nonces=Nonces(), now_ns=NOW_NS, has_clip=lambda _clip: True)
    check_action(sign("action", raw, [ANNA.sign_key]), facts)


def _pairing(raw: bytes) -> None:
    parse_pair_body(parse(raw, max_bytes=65_536))


DOORS: list[Callable[[bytes], None]] = [_envelope, _consent, _consent_payload, _action_payload, _pairing]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__.strip("_"))
@pytest.mark.parametrize("bomb", BOMBS)
def test_every_door_refuses_what_is_no_strict_json(door: Callable[[bytes], None], bomb: str) -> None:
    with pytest.raises(RefusedError) as refused:
        door(BOMBS[bomb])
    assert refused.value.code in {"E_JSON", "E_SIZE"}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__.strip("_"))
def test_every_door_bounds_the_size_before_it_parses(door: Callable[[bytes], None]) -> None:
    with pytest.raises(RefusedError) as refused:
        door(b" " * 2_000_000 + b"{")
    assert refused.value.code == "E_SIZE"
