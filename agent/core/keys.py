"""Public keys, loaded with care: protocol section 2.

A small-order point verifies forged signatures under the library in use, so those points and every
non-canonical spelling of one are refused when a key is loaded.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from agent.core.errors import RefusedError

KEY_BYTES: Final = 32
_P: Final = 2**255 - 19
# y-coordinates of the eight points whose order divides 8 (RFC 8032 curve): 1, -1, 0 and the two of order 8.
# With the sign bit and the two spellings of 0 and 1 at p and p + 1 they make the 14 encodings.
_Y8: Final = 2707385501144840649318225287225658788936804267575313519463743609750303402022
_SMALL_Y: Final = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})
# u-coordinates of X25519 points of small order (RFC 7748 section 6.1 asks to reject an all-zero result).
_SMALL_U: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)


def is_weak(public: bytes) -> bool:
    """Say whether 32 bytes spell, canonically or not, an Ed25519 point of small order."""
    return (int.from_bytes(public, "little") & (2**255 - 1)) % _P in _SMALL_Y


def load_verify_key(public: bytes) -> Ed25519PublicKey:
    """Load an Ed25519 public key.

    Raises:
        RefusedError: E_KEY, when it is not 32 bytes or weak.
    """
    if len(public) != KEY_BYTES or is_weak(public):
        raise RefusedError("E_KEY", "a weak or malformed Ed25519 key")
    return Ed25519PublicKey.from_public_bytes(public)


def load_open_key(public: bytes) -> X25519PublicKey:
    """Load an X25519 public key.

    Raises:
        RefusedError: E_KEY, when it is not 32 bytes or a point of small order.
    """
    if len(public) != KEY_BYTES or (int.from_bytes(public, "little") & (2**255 - 1)) % _P in _SMALL_U:
        raise RefusedError("E_KEY", "a weak or malformed X25519 key")
    return X25519PublicKey.from_public_bytes(public)


def raw_public(
    key: Ed25519PrivateKey | X25519PrivateKey | Ed25519PublicKey | X25519PublicKey,
) -> bytes:
    """Return the raw 32 public bytes of a private or public key."""
    if isinstance(key, Ed25519PrivateKey | X25519PrivateKey):
        return key.public_key().public_bytes_raw()
    return key.public_bytes_raw()
