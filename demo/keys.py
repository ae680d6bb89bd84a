"""Throw-away keys as the directory lists them: `{kid, pub, nbf, exp}` (protocol section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from agent.core.encoding import b64
from agent.core.ids import kid_of

if TYPE_CHECKING:
    from agent.core.ids import Kid

ALWAYS = (0, 9_999_999_999)
"""The validity of a key that a test does not care about, unix seconds."""


@dataclass(frozen=True)
class _Listed:
    """A key with the time it is valid in (`nbf <= t < exp`, unix seconds)."""

    private: Ed25519PrivateKey | X25519PrivateKey
    nbf: int = ALWAYS[0]
    exp: int = ALWAYS[1]

    @property
    def pub(self) -> bytes:
        """The raw 32 bytes of the public key."""
        return self.private.public_key().public_bytes_raw()

    @property
    def kid(self) -> Kid:
        """The key's name (protocol section 1)."""
        return kid_of(self.pub)

    def entry(self) -> dict[str, Any]:
        """The key as a directory file lists it."""
        return {"kid": self.kid, "pub": b64(self.pub), "nbf": self.nbf, "exp": self.exp}


@dataclass(frozen=True)
class SignKey(_Listed):
    """An Ed25519 key of the directory."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def valid(self, nbf: int, exp: int) -> SignKey:
        """The same key with another time of validity."""
        return replace(self, nbf=nbf, exp=exp)


@dataclass(frozen=True)
class OpenKey(_Listed):
    """An X25519 key of the directory."""

    private: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)

    def pem(self) -> bytes:
        """The private key as PKCS#8 PEM (protocol section 17)."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
