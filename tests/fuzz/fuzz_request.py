# Invariant: whatever the bytes, the 15 checks end with a code of section 7 and nothing is raised; without both
# signatures nothing passes check 8; what passes all is inside every ceiling, and none of it approves.
"""Fuzzes requests: as messages, and as payloads that the harness signs, to reach what is behind check 4."""

from collections.abc import Iterator
from typing import Final

from agent.consent.checks import check_again, check_request
from agent.consent.limits_of_owner import CEILINGS, FLOOR_AREA_M2, OwnerLimits
from agent.consent.outcome import FloodCounts
from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.geo import area_m2, contains
from agent.core.ids import Id, Sha256
from agent.core.strict_json import dump
from tests.consent.request_vectors import cases
from tests.fakes.consent_requests import CAMERA, DISPATCH, NOW_S, SIGN, request, view

CODES: Final = frozenset(
    {
        *("OK", "E_SIZE", "E_JSON", "E_ENVELOPE", "E_TYPE", "D_DIRECTORY", "E_SIG", "E_KEY", "E_SCHEMA", "E_TEXT"),
        *("E_AREA", "E_AGENCY", "E_REPLY", "E_ORDER", "E_LIMIT", "E_EXPIRED", "E_FUTURE", "I_NO_AREA"),
    }
)
VIEW: Final = view()
NOTHING_SEEN: Final[dict[Id, Sha256]] = {}
WILLING: Final = OwnerLimits(enabled=True)


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 0 and a message, or 1 and a payload."""
    yield b"\1" + dump(request())
    yield b"\0" + sign("request", dump(request()), (DISPATCH, SIGN))
    for case in cases():
        if len(case.raw) > 4_096:
            continue
        yield b"\0" + case.raw
        try:
            yield b"\1" + parse_envelope(case.raw, counts=(2,)).payload
        except RefusedError:
            continue


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    signed, rest = data[:1] == b"\1", data[1:]
    raw = sign("request", rest, (DISPATCH, SIGN)) if signed else rest
    outcome = check_request(
        raw,
        view=VIEW,
        now_s=NOW_S,
        trusted=True,
        seen=NOTHING_SEEN.get,
        owner=WILLING,
        camera=CAMERA,
        overlaps=lambda _from_ms, _to_ms: True,
        counts=lambda _request: FloodCounts(0, 0, 0, 0),
    )
    if outcome.code not in CODES:
        raise AssertionError(f"{outcome.code} can't come here")
    if (outcome.request is None) != (0 < outcome.check <= 5):
        raise AssertionError("a request that was parsed too early, or not at all")
    if not 0 < outcome.check <= 8:
        _both_signed(raw)
    if outcome.code != "OK" or outcome.request is None:
        return
    asked = outcome.request
    if not (
        asked.from_s < asked.to_s <= asked.iat_s < asked.exp_s
        and asked.iat_s - 300 <= NOW_S < asked.exp_s
        and asked.to_s - asked.from_s <= CEILINGS.window_s
        and asked.iat_s - asked.from_s <= CEILINGS.lookback_s
        and asked.exp_s - asked.iat_s <= CEILINGS.ttl_s
        and FLOOR_AREA_M2 <= area_m2(asked.area) <= CEILINGS.area_m2
        and contains(asked.area, CAMERA)
    ):
        raise AssertionError("a request beyond a ceiling passed")
    again = check_again(raw, view=VIEW, now_s=NOW_S, trusted=True, owner=WILLING)
    if again.code != "OK":
        raise AssertionError("what passed does not pass again")


def _both_signed(raw: bytes) -> None:
    """Hold that what passed check 8 is what the two keys signed; Ed25519 signs the same each time."""
    envelope = parse_envelope(raw, counts=(2,))
    made = parse_envelope(sign("request", envelope.payload, (DISPATCH, SIGN)), counts=(2,))
    if {(item.keyid, item.sig) for item in envelope.signatures} != {
        (item.keyid, item.sig) for item in made.signatures
    }:
        raise AssertionError("a request passed that nobody signed")
