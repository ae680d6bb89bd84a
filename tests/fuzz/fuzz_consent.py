# Invariant: whatever the bytes, `check_consent` returns a Consent or raises RefusedError with a code of section
# 11; a Consent says what its payload says, an admitted phone signed it, and it names only what is held.
"""Fuzzes consents: as envelopes, and as payloads that the harness signs, to reach what is behind step 4."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.consent.consents import check_consent
from agent.consent.nonces import NONCE_LIFE_NS, Nonce
from agent.core.encoding import unb64
from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from tests.fakes.consent_house import ANNA, NOW_NS, REQUEST, SEGMENTS, House, an_id

CODES: Final = frozenset(
    {"E_SIZE", "E_JSON", "E_SCHEMA", "C_APPROVER", "C_SIG", "C_STATE", "C_NONCE", "C_STALE", "C_CLOCK", "C_WRAP"}
)
NONCE: Final = an_id("the fuzzer's nonce")
HOUSE: Final = House()
HOUSE.nonces.put(NONCE, Nonce(ANNA.kid, REQUEST.id, NOW_NS + NONCE_LIFE_NS))
FACTS: Final = HOUSE.facts()
VECTORS: Final = Path(__file__).parents[1] / "vectors" / "consents.json"


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 0 and an envelope, or 1 and a payload."""
    for case in json.loads(VECTORS.read_text())["cases"]:
        raw = unb64(case["raw"])
        if len(raw) < 4_096:
            yield b"\0" + raw
            try:
                yield b"\1" + parse_envelope(raw, counts=(1,)).payload
            except RefusedError:
                continue
    good = House().consent(nonce=NONCE)
    yield b"\0" + good
    yield b"\1" + parse_envelope(good, counts=(1,)).payload
    yield b"\1" + parse_envelope(House().consent(nonce=NONCE, decision="decline"), counts=(1,)).payload


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    mode, rest = data[:1], data[1:]
    raw = rest if mode != b"\1" else sign("consent", rest, [ANNA.sign_key])
    try:
        consent = check_consent(raw, FACTS)
    except RefusedError as refused:
        if refused.code not in CODES:
            raise AssertionError(f"{refused.code} is no code of section 11") from refused
        return
    said = json.loads(consent.payload)
    if said["approver"] != ANNA.kid or said["request"] != {"id": REQUEST.id, "sha256": REQUEST.sha256}:
        raise AssertionError("a consent of somebody else, or of something else")
    held = {(item.id, item.sha256, item.size_bytes, item.start_ms, item.end_ms) for item in SEGMENTS}
    keys = ("id", "sha256", "bytes", "start_ms", "end_ms")
    named = [tuple(item[key] for key in keys) for item in said["segments"]]
    if not held.issuperset(named) or len(set(named)) != len(named):
        raise AssertionError("a consent names what is not held")
    if (said["decision"] == "share") != bool(named):
        raise AssertionError("a decline that shares, or a share of nothing")
