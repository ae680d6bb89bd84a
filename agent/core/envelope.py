"""The signed envelope, DSSE 1.0: protocol section 2.

What is signed is the payload's bytes together with its type. `keyid` only hints at a key: the caller finds
the key that it trusts, and `check_signature` recomputes the kid from it. Whoever verified an envelope reads
`Envelope.payload` and nothing else of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.encoding import b64, unb64
from agent.core.errors import RefusedError
from agent.core.ids import Kid, is_kid, kid_of
from agent.core.keys import load_verify_key, raw_public
from agent.core.strict_json import Json, closed, dump, parse

MAX_ENVELOPE_BYTES: Final = 24_576  # section 2
MAX_PAYLOAD_BYTES: Final = 16_384  # section 2
MAX_CONSENT_BYTES: Final = 1_048_576  # section 2
MAX_SUBMISSION_BYTES: Final = 4_194_304  # section 2
SIGNATURE_BYTES: Final = 64

_ENVELOPE_KEYS: Final = frozenset({"payloadType", "payload", "signatures"})
_SIGNATURE_KEYS: Final = frozenset({"keyid", "sig"})


def payload_type(name: str) -> str:
    """Return the payload type of `request`, `cancel`, `consent` and so on."""
    return f"application/vnd.doorbell.{name}.v1+json"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of an envelope; `keyid` is a hint."""

    keyid: Kid
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A well-formed envelope. Nothing in it is verified yet; `raw` is the bytes as they came."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]
    raw: bytes


def pae(kind: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: the pre-authentication encoding of DSSE 1.0, lengths in bytes."""
    name = kind.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def _signature(value: Json) -> Signature:
    item = closed(value, _SIGNATURE_KEYS, "E_ENVELOPE", "a signature")
    keyid = item["keyid"]
    if not is_kid(keyid):
        raise RefusedError("E_ENVELOPE", "keyid is no kid")
    try:
        return Signature(keyid, unb64(item["sig"], length=SIGNATURE_BYTES))
    except ValueError as exc:
        raise RefusedError("E_ENVELOPE", "a signature is not base64 of 64 bytes") from exc


def parse_envelope(
    raw: bytes,
    *,
    counts: Sequence[int],
    max_bytes: int = MAX_ENVELOPE_BYTES,
    max_payload: int = MAX_PAYLOAD_BYTES,
) -> Envelope:
    """Parse the outside of an envelope; the payload stays bytes.

    Args:
        raw: the message.
        counts: how many signatures are allowed; they name distinct keyids.
        max_bytes: the most bytes of the envelope.
        max_payload: the most bytes of the payload.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_ENVELOPE.
    """
    value = closed(parse(raw, max_bytes=max_bytes), _ENVELOPE_KEYS, "E_ENVELOPE", "the envelope")
    kind, encoded, listed = value["payloadType"], value["payload"], value["signatures"]
    if not isinstance(kind, str) or not isinstance(listed, list) or len(listed) not in counts:
        raise RefusedError("E_ENVELOPE", "the envelope's fields have the wrong form")
    try:
        payload = unb64(encoded)
    except ValueError as exc:
        raise RefusedError("E_ENVELOPE", "the payload is not canonical base64") from exc
    if len(payload) > max_payload:
        raise RefusedError("E_SIZE", f"the payload is longer than {max_payload} bytes")
    signatures = tuple(_signature(item) for item in listed)
    if len({signature.keyid for signature in signatures}) != len(signatures):
        raise RefusedError("E_ENVELOPE", "two signatures name one key")
    return Envelope(kind, payload, signatures, bytes(raw))


def check_signature(envelope: Envelope, signature: Signature, public: bytes) -> None:
    """Verify one signature under a key that the caller trusts.

    Raises:
        RefusedError: E_KEY for a weak key or one whose kid is not the hint; E_SIG when it doesn't hold.
    """
    if kid_of(public) != signature.keyid:
        raise RefusedError("E_KEY", "the key is misnamed")
    key = load_verify_key(public)
    try:
        key.verify(signature.sig, pae(envelope.payload_type, envelope.payload))
    except InvalidSignature as exc:
        raise RefusedError("E_SIG", "a signature does not hold") from exc


def _write(kind: str, payload: bytes, signatures: Sequence[Signature]) -> bytes:
    listed = [{"keyid": signature.keyid, "sig": b64(signature.sig)} for signature in signatures]
    return dump({"payloadType": kind, "payload": b64(payload), "signatures": listed})


def _sign(kind: str, payload: bytes, key: Ed25519PrivateKey) -> Signature:
    return Signature(kid_of(raw_public(key)), key.sign(pae(kind, payload)))


def sign(name: str, payload: bytes, keys: Sequence[Ed25519PrivateKey]) -> bytes:
    """Return the envelope of `payload` as `name` (`consent`, `submission`, …), signed by each key."""
    kind = payload_type(name)
    return _write(kind, payload, [_sign(kind, payload, key) for key in keys])


def add_signature(envelope: Envelope, key: Ed25519PrivateKey) -> bytes:
    """Return the same envelope with one signature more."""
    more = _sign(envelope.payload_type, envelope.payload, key)
    return _write(envelope.payload_type, envelope.payload, [*envelope.signatures, more])
