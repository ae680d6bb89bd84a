# Invariant: whatever the bytes, `check_action` returns an Action or raises RefusedError with a code of section 11;
# an Action acts on what is there, and applying its settings never makes a limit wider than the compiled-in one.
"""Fuzzes actions: as envelopes, and as payloads that the harness signs, to reach what is behind step 4."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.consent.actions import ActionFacts, Admit, ChangeSettings, Delete, Keep, check_action
from agent.consent.limits_of_owner import CEILINGS
from agent.consent.nonces import NONCE_LIFE_NS, Nonce, Nonces
from agent.consent.settings import Settings, changed, limits_of
from agent.core.encoding import unb64
from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.strict_json import dump
from tests.fakes.consent_house import ANNA, GUEST, LOST, NOW_NS, NOW_S, an_id

CODES: Final = frozenset({"E_SIZE", "E_JSON", "E_SCHEMA", "C_APPROVER", "C_SIG", "C_STATE", "C_NONCE"})
NONCE: Final = an_id("the fuzzer's nonce")
CLIP: Final = an_id("clip")
NONCES: Final = Nonces()
NONCES.put(NONCE, Nonce(ANNA.kid, None, NOW_NS + NONCE_LIFE_NS))
FACTS: Final = ActionFacts(
    phones={phone.kid: phone.known for phone in (ANNA, GUEST, LOST)},
    nonces=NONCES,
    now_ns=NOW_NS,
    has_clip=lambda clip: clip == CLIP,
)
VECTORS: Final = Path(__file__).parents[1] / "vectors" / "actions.json"
ALL_SETTINGS: Final = {
    "requests_enabled": True,
    "muted_agencies": ["us-ca-examplepd"],
    "alerts": False,
    "cell_precision": 3,
    "max_window_s": 3600,
    "max_area_m2": 65_000,
    "max_lookback_days": 1,
    "daily_approvals": 1,
    "quiet_hours": [1320, 360],
    "clock_at": NOW_S,
}


def _payload(verb: str, args: object) -> bytes:
    fields = {"id": an_id("action"), "phone": ANNA.kid, "nonce": NONCE, "at": NOW_S}
    return dump({"v": 1, **fields, "verb": verb, "args": args})


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 0 and an envelope, or 1 and a payload."""
    for case in json.loads(VECTORS.read_text())["cases"]:
        raw = unb64(case["raw"])
        yield b"\0" + raw
        try:
            yield b"\1" + parse_envelope(raw, counts=(1,)).payload
        except RefusedError:
            continue
    for verb in ("admit", "unpair"):
        yield b"\1" + _payload(verb, {"phone": GUEST.kid})
    for verb in ("delete", "keep"):
        yield b"\1" + _payload(verb, {"clip": CLIP})
    yield b"\1" + _payload("settings", ALL_SETTINGS)
    for name, value in ALL_SETTINGS.items():
        yield b"\1" + _payload("settings", {name: value})


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    mode, rest = data[:1], data[1:]
    raw = rest if mode != b"\1" else sign("action", rest, [ANNA.sign_key])
    try:
        action = check_action(raw, FACTS)
    except RefusedError as refused:
        if refused.code not in CODES:
            raise AssertionError(f"{refused.code} is no code of section 11") from refused
        return
    if action.phone != ANNA.kid:
        raise AssertionError("an action of somebody who did not sign it")
    if isinstance(action.verb, Delete | Keep) and action.verb.clip != CLIP:
        raise AssertionError("an action on a clip that there is not")
    if isinstance(action.verb, Admit) and action.verb.phone != GUEST.kid:
        raise AssertionError("an admission of a phone that does not wait")
    if isinstance(action.verb, ChangeSettings):
        after = changed(Settings(requests_enabled=False), action.verb.change)
        limits = limits_of(after, max_window_s=None, max_area_m2=None, max_lookback_days=None).narrow(CEILINGS)
        if any(getattr(limits, name) > getattr(CEILINGS, name) for name in ("window_s", "area_m2", "lookback_s")):
            raise AssertionError("a setting widened a limit")
