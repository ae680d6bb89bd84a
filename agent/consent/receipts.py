"""The receipt that ends a request: protocol section 13. Pure."""

from collections.abc import Iterable
from typing import Final

from agent.consent.directory import Platform
from agent.consent.directory_keys import find_key
from agent.core.envelope import MAX_SUBMISSION_BYTES, pae, parse_envelope, payload_type
from agent.core.errors import RefusedError
from agent.core.ids import Id, Sha256, is_id, is_sha256
from agent.core.strict_json import MAX_INTEGER, closed, is_integer, parse

MAX_RECEIPT_BYTES: Final = 65_536  # 512 hashes of 64 digits in base64 are 46 kB
_KEYS: Final = frozenset({"v", "submission_sha256", "request", "segments", "received_at"})


def check_receipt(
    raw: bytes, *, platform: Platform, request: Id, submission_sha256: Sha256, segments: Iterable[Sha256]
) -> bytes:
    """Verify that a receipt names this submission and lists exactly these segments; returns the payload.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_ENVELOPE, E_TYPE, E_KEY, E_SIG, or E_RECEIPT when it names something else.
    """
    envelope = parse_envelope(raw, counts=(1,), max_bytes=MAX_RECEIPT_BYTES * 2, max_payload=MAX_SUBMISSION_BYTES)
    if envelope.payload_type != payload_type("receipt"):
        raise RefusedError("E_TYPE", "not a receipt")
    signature = envelope.signatures[0]
    key = find_key(platform.receipt, signature.keyid)
    if key is None:
        raise RefusedError("E_SIG", "signed by no receipt key of the platform")
    key.verify(pae(envelope.payload_type, envelope.payload), signature.sig)
    value = closed(parse(envelope.payload, max_bytes=MAX_SUBMISSION_BYTES), _KEYS, "E_RECEIPT", "the receipt")
    listed, received = value["segments"], value["received_at"]
    if (
        not is_integer(value["v"], low=1, high=1)
        or not is_id(value["request"])
        or not isinstance(listed, list)
        or not all(is_sha256(one) for one in listed)
        or not isinstance(received, int)
        or not is_integer(received, low=0, high=MAX_INTEGER)
    ):
        raise RefusedError("E_RECEIPT", "a field of the receipt has the wrong form")
    if value["request"] != request or value["submission_sha256"] != submission_sha256:
        raise RefusedError("E_RECEIPT", "the receipt is for another submission")
    if sorted(str(one) for one in listed) != sorted(segments):
        raise RefusedError("E_RECEIPT", "the receipt does not list exactly these segments")
    if not key.valid_at(received):
        raise RefusedError("E_KEY", "the receipt's key was not valid when it was signed")
    return envelope.payload
