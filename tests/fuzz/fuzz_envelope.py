# Invariant: whatever the bytes, `parse_envelope` returns an Envelope or raises RefusedError with E_SIZE, E_JSON or
# E_ENVELOPE; what it returned fits the limits, and written down again it is the same envelope.
"""Fuzzes the outside of every signed message, which any publisher on the broker can send."""

from collections.abc import Iterator
from typing import Final

from agent.core.encoding import b64
from agent.core.envelope import MAX_ENVELOPE_BYTES, MAX_PAYLOAD_BYTES, parse_envelope
from agent.core.errors import RefusedError
from agent.core.strict_json import dump
from tests.consent.request_vectors import cases, document, raw_of

CODES: Final = frozenset({"E_SIZE", "E_JSON", "E_ENVELOPE"})


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: envelopes, good and bad."""
    yield from (case.raw for case in cases() if case.expect in CODES or case.name == "good")
    yield from (raw_of(case) for case in document("notices.json")["cases"][:3])


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    try:
        envelope = parse_envelope(data, counts=(1, 2))
    except RefusedError as refused:
        if refused.code not in CODES:
            raise AssertionError(f"{refused.code} is no code of an envelope") from refused
        return
    if len(data) > MAX_ENVELOPE_BYTES or len(envelope.payload) > MAX_PAYLOAD_BYTES or envelope.raw != data:
        raise AssertionError("an envelope over its limits, or other bytes")
    listed = [{"keyid": item.keyid, "sig": b64(item.sig)} for item in envelope.signatures]
    again = dump({"payloadType": envelope.payload_type, "payload": b64(envelope.payload), "signatures": listed})
    written = parse_envelope(again, counts=(len(listed),), max_bytes=2 * MAX_ENVELOPE_BYTES)
    if (written.payload_type, written.payload, written.signatures) != (
        *(envelope.payload_type, envelope.payload, envelope.signatures),
    ):
        raise AssertionError("written down again it is another envelope")
