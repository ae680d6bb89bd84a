"""The keys that the directory lists: protocol sections 2 and 4.

A weak or misnamed key is no fault of its file: it stays in the list, without a verifier, so that a request that
names it gets E_KEY and the other keys go on working.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.consent import forms
from agent.core.errors import RefusedError
from agent.core.ids import Kid, is_kid, kid_of
from agent.core.keys import load_open_key, load_verify_key
from agent.core.strict_json import Json, closed

_KEY_KEYS: Final = frozenset({"kid", "pub", "nbf", "exp"})


@dataclass(frozen=True, slots=True)
class SignKey:
    """An Ed25519 key as listed: valid while nbf ≤ t < exp; `verifier` is None when weak or misnamed."""

    kid: Kid
    pub: bytes
    nbf_s: int
    exp_s: int
    verifier: Ed25519PublicKey | None

    def valid_at(self, at_s: int) -> bool:
        """Say whether the key is valid at that unix second."""
        return self.nbf_s <= at_s < self.exp_s

    def verify(self, signed: bytes, sig: bytes) -> None:
        """Check a signature over the bytes that were signed.

        Raises:
            RefusedError: E_KEY when the key verifies nothing, E_SIG when the signature doesn't hold.
        """
        if self.verifier is None:
            raise RefusedError("E_KEY", "the key is weak or misnamed")
        try:
            self.verifier.verify(sig, signed)
        except InvalidSignature as exc:
            raise RefusedError("E_SIG", "a signature does not hold") from exc


@dataclass(frozen=True, slots=True)
class EncKey:
    """An X25519 key as listed; one that is weak or misnamed is not `usable` and seals nothing."""

    kid: Kid
    pub: bytes
    nbf_s: int
    exp_s: int
    usable: bool

    def valid_at(self, at_s: int) -> bool:
        """Say whether the key may be sealed to in a request issued at that unix second."""
        return self.usable and self.nbf_s <= at_s < self.exp_s


def find_key(keys: Iterable[SignKey], kid: Kid) -> SignKey | None:
    """Return the key listed under `kid`; one that verifies goes before one that can't."""
    found = None
    for key in keys:
        if key.kid == kid:
            if key.verifier is not None:
                return key
            found = key
    return found


def _key_fields(value: Json, what: str) -> tuple[Kid, bytes, int, int]:
    item = closed(value, _KEY_KEYS, "E_SCHEMA", f"a {what} key")
    kid = item["kid"]
    if not is_kid(kid):
        raise RefusedError("E_SCHEMA", f"the kid of a {what} key has not its form")
    return (
        kid,
        forms.key_bytes(item["pub"], "pub"),
        forms.integer(item["nbf"], "nbf"),
        forms.integer(item["exp"], "exp"),
    )


def sign_keys(value: Json, what: str) -> tuple[SignKey, ...]:
    """Parse a list of signing keys; E_SCHEMA for a wrong form, nothing for a weak or misnamed key."""
    return tuple(
        SignKey(kid, pub, nbf_s, exp_s, _verifier(kid, pub))
        for kid, pub, nbf_s, exp_s in (_key_fields(item, what) for item in forms.items(value, what))
    )


def _verifier(kid: Kid, pub: bytes) -> Ed25519PublicKey | None:
    if kid_of(pub) != kid:
        return None
    try:
        return load_verify_key(pub)
    except RefusedError:
        return None


def enc_keys(value: Json, what: str) -> tuple[EncKey, ...]:
    """Parse a list of sealing keys; E_SCHEMA for a wrong form, nothing for a weak or misnamed key."""
    return tuple(
        EncKey(kid, pub, nbf_s, exp_s, usable=_opens(kid, pub))
        for kid, pub, nbf_s, exp_s in (_key_fields(item, what) for item in forms.items(value, what))
    )


def _opens(kid: Kid, pub: bytes) -> bool:
    try:
        load_open_key(pub)
    except RefusedError:
        return False
    return kid_of(pub) == kid
