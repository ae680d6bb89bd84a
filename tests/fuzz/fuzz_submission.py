# Invariant: whatever stands in submission.json or receipt.json, every claim is judged on one line and nothing is
# raised; what is not byte for byte the good payload never has all claims hold.
"""Fuzzes bundles: a submission or a receipt as a file, or a submission's payload that the harness signs."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.envelope import parse_envelope, sign
from agent.core.errors import RefusedError
from agent.core.ids import Id
from agent.core.strict_json import dump
from agent.evidence.verify import judge
from tests.fakes.evidence_bundles import bundle_case, bundle_cases

GOOD: Final = bundle_case("good")
DEVICE: Final = Ed25519PrivateKey.from_private_bytes(b"a key of this test alone, public")
MAX_BYTES: Final = 1 << 22


def bounded(content: bytes, max_bytes: int) -> bytes:
    """The content, if it is not too long."""
    if len(content) > max_bytes:
        raise RefusedError("E_SIZE", "too long")
    return content


@dataclass(frozen=True)
class Files:
    """A bundle in memory."""

    submitted: bytes
    received: bytes
    segments: dict[Id, bytes]

    def submission(self, max_bytes: int) -> bytes:
        return bounded(self.submitted, max_bytes)

    def receipt(self, max_bytes: int) -> bytes:
        return bounded(self.received, max_bytes)

    def segment(self, segment: Id, max_bytes: int) -> bytes:
        if segment not in self.segments:
            raise RefusedError("E_FILE", "missing")
        return bounded(self.segments[segment], max_bytes)

    def segment_ids(self) -> frozenset[Id]:
        return frozenset(self.segments)


SUBMISSION: Final = dump(GOOD.parts["submission"])
RECEIPT: Final = dump(GOOD.parts["receipt"])
SEGMENTS: Final = {Id(name): base64.b64decode(file) for name, file in GOOD.parts["segments"].items()}


def payload(envelope: bytes) -> bytes:
    """The payload of a well-formed envelope of one signature."""
    return parse_envelope(envelope, counts=(1,), max_bytes=MAX_BYTES, max_payload=MAX_BYTES).payload


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 0 and submission.json, 1 and a payload to sign, 2 and receipt.json."""
    for case in bundle_cases()[::4]:
        yield b"\0" + dump(case.parts["submission"])
        yield b"\1" + payload(dump(case.parts["submission"]))
        yield b"\2" + dump(case.parts["receipt"])


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    kind, rest = data[:1], data[1:]
    submitted = {b"\1": lambda: sign("submission", rest, [DEVICE]), b"\2": lambda: SUBMISSION}.get(
        kind, lambda: rest
    )()
    received = rest if kind == b"\2" else RECEIPT
    verdict = judge(Files(submitted, received, SEGMENTS), GOOD.root, GOOD.key)
    if any("\n" in claim.text for claim in verdict.claims):
        raise AssertionError("a claim of two lines")
    if verdict.holds and (payload(submitted), payload(received)) != (payload(SUBMISSION), payload(RECEIPT)):
        raise AssertionError("another bundle holds")
