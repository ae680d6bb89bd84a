"""Checkpoints of the log: C2SP tlog-checkpoint as a signed note, one Ed25519 signature by the device key.

Source: c2sp.org/signed-note, c2sp.org/tlog-checkpoint; protocol section 14. Origin and key name are both
`doorbell/<device kid>`, and nothing but these five lines is accepted.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.encoding import b64, unb64
from agent.core.envelope import SIGNATURE_BYTES
from agent.core.errors import RefusedError
from agent.core.ids import kid_of
from agent.core.keys import load_verify_key, raw_public

MAX_CHECKPOINT_BYTES: Final = 1_024
_ED25519: Final = b"\x01"  # signed-note's signature type
_HINT_BYTES: Final = 4
_ROOT_BYTES: Final = 32
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_NOTE: Final = re.compile(r"([^\n]+)\n([^\n]+)\n([^\n]+)\n\n\u2014 ([^ \n]+) ([^ \n]+)\n")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a device said of its log: so many entries with that root (32 bytes)."""

    origin: str
    size: int
    root: bytes


def origin_of(device_public: bytes) -> str:
    """Return the origin line of a device's log."""
    return f"doorbell/{kid_of(device_public)}"


def _hint(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode("utf-8") + b"\n" + _ED25519 + public).digest()[:_HINT_BYTES]


def sign_checkpoint(size: int, root: bytes, device_key: Ed25519PrivateKey) -> str:
    """Return the signed note for a log of `size` entries with that root."""
    public = raw_public(device_key)
    origin = origin_of(public)
    body = f"{origin}\n{size}\n{b64(root)}\n"
    blob = _hint(origin, public) + device_key.sign(body.encode("utf-8"))
    return f"{body}\n\u2014 {origin} {b64(blob)}\n"


def parse_checkpoint(note: str, device_public: bytes) -> Checkpoint:
    """Verify a checkpoint under a device's raw public key.

    Raises:
        RefusedError: E_CHECKPOINT, when it is not of that form or the signature does not hold; E_KEY for a
            weak key.
    """
    match = _NOTE.fullmatch(note) if len(note) <= MAX_CHECKPOINT_BYTES else None
    if match is None:
        raise RefusedError("E_CHECKPOINT", "not a checkpoint with one signature")
    origin, size, root, name, blob = match.groups()
    key = load_verify_key(device_public)
    try:
        raw_root = unb64(root, length=_ROOT_BYTES)
        raw_blob = unb64(blob, length=_HINT_BYTES + SIGNATURE_BYTES)
    except ValueError as exc:
        raise RefusedError("E_CHECKPOINT", "not canonical base64") from exc
    expected = origin_of(device_public)
    if origin != expected or name != expected or _SIZE.fullmatch(size) is None:
        raise RefusedError("E_CHECKPOINT", "a checkpoint of another log")
    if raw_blob[:_HINT_BYTES] != _hint(expected, device_public):
        raise RefusedError("E_CHECKPOINT", "signed by another key")
    try:
        key.verify(raw_blob[_HINT_BYTES:], f"{origin}\n{size}\n{root}\n".encode())
    except InvalidSignature as exc:
        raise RefusedError("E_CHECKPOINT", "the signature does not hold") from exc
    return Checkpoint(origin, int(size), raw_root)
