"""Runs the 15 checks with a house in which a good request passes."""

from typing import Any

from agent.consent.checks import check_request
from agent.consent.limits_of_owner import OwnerLimits
from agent.consent.outcome import FloodCounts, Outcome
from agent.core.encoding import b64, unb64
from agent.core.strict_json import dump, parse
from tests.fakes.consent_requests import CAMERA, NOW_S, view

VIEW = view()
CALM = FloodCounts(0, 0, 0, 0)
WILLING = OwnerLimits(enabled=True)


def check(raw: bytes, **known: Any) -> Outcome:
    """Run all checks with a house in which a good request passes, but for what `known` says."""
    usual: dict[str, Any] = {
        "view": VIEW,
        "now_s": NOW_S,
        "trusted": True,
        "seen": {}.get,
        "owner": WILLING,
        "camera": CAMERA,
        "overlaps": lambda _from_ms, _to_ms: True,
        "counts": lambda _request: CALM,
    }
    return check_request(raw, **(usual | known))


def ends(outcome: Outcome) -> tuple[str, int]:
    return outcome.code, outcome.check


def bend_signature(raw: bytes, index: int) -> bytes:
    value: Any = parse(raw, max_bytes=len(raw))
    sig = bytearray(unb64(value["signatures"][index]["sig"]))
    sig[0] ^= 1
    value["signatures"][index]["sig"] = b64(bytes(sig))
    return dump(value)
