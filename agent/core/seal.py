"""HPKE for the three things that are sealed to one key: stanzas, grants and contacts.

RFC 9180 base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (protocol section 3). There are no
options. The info strings bind each sealed key to what it opens and to whom, so that one can't stand for another.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from agent.core.errors import RefusedError
from agent.core.ids import Id, Kid, Sha256, new_bytes
from agent.core.keys import load_open_key

CEK_BYTES: Final = 16
WRAP_BYTES: Final = 64  # a stanza's or a grant's (section 9): 32 bytes enc, 16 bytes key, 16 bytes tag

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def new_cek() -> bytes:
    """Return a fresh content encryption key for one segment."""
    return new_bytes(CEK_BYTES)


def stanza_info(segment: Id, kid: Kid) -> bytes:
    """Return the info of a stanza: section 9. `kid` is that of the recipient's open key."""
    return b"doorbell/stanza/v1\0" + segment.encode("ascii") + kid.encode("ascii")


def grant_info(request_sha256: Sha256, segment_sha256: Sha256) -> bytes:
    """Return the info of a wrap for an agency: section 11."""
    return b"doorbell/grant/v1\0" + bytes.fromhex(request_sha256) + bytes.fromhex(segment_sha256)


def contact_info(request_sha256: Sha256) -> bytes:
    """Return the info of the owner's contact: section 11."""
    return b"doorbell/contact/v1\0" + bytes.fromhex(request_sha256)


def hpke_seal(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal `plaintext` to a raw X25519 public key; the answer is `enc ∥ ciphertext`.

    Raises:
        RefusedError: E_KEY for a weak or malformed key.
    """
    return _SUITE.encrypt(plaintext, load_open_key(public), info)


def hpke_open(private: X25519PrivateKey, sealed: bytes, info: bytes) -> bytes:
    """Open what was sealed to `private` with the same info.

    Raises:
        RefusedError: E_SEAL, when it was not.
    """
    try:
        return _SUITE.decrypt(sealed, private, info)
    except (InvalidTag, ValueError) as exc:
        raise RefusedError("E_SEAL", "not sealed to this key, or changed") from exc


def open_cek(private: X25519PrivateKey, sealed: bytes, info: bytes) -> bytes:
    """Open a stanza or a wrap and return the 16-byte segment key.

    Raises:
        RefusedError: E_SEAL, when it doesn't open or holds something else.
    """
    cek = hpke_open(private, sealed, info)
    if len(cek) != CEK_BYTES:
        raise RefusedError("E_SEAL", "not a segment key")
    return cek
