"""Identifiers of protocol section 1: what they look like and how they are made."""

import hashlib
import re
import secrets
from typing import Final, NewType, TypeGuard

Id = NewType("Id", str)
Kid = NewType("Kid", str)
Sha256 = NewType("Sha256", str)

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def new_bytes(count: int) -> bytes:
    """Return `count` bytes from the system's secure generator."""
    return secrets.token_bytes(count)


def new_id() -> Id:
    """Return a fresh random id: 32 lower-case hex digits."""
    return Id(secrets.token_hex(16))


def is_id(value: object) -> TypeGuard[Id]:
    """Say whether `value` has the form of an id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_kid(value: object) -> TypeGuard[Kid]:
    """Say whether `value` has the form of a kid."""
    return isinstance(value, str) and _KID.fullmatch(value) is not None


def is_sha256(value: object) -> TypeGuard[Sha256]:
    """Say whether `value` has the form of a hash: 64 lower-case hex digits."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def sha256_hex(data: bytes | bytearray | memoryview) -> Sha256:
    """Return the lower-case hex SHA-256 of `data`."""
    return Sha256(hashlib.sha256(data).hexdigest())


def kid_of(public: bytes) -> Kid:
    """Return the kid of a raw 32-byte public key: the first 16 hex digits of its SHA-256."""
    return Kid(hashlib.sha256(public).hexdigest()[:16])
