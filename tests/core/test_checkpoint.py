"""Checkpoints that are none."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core import checkpoint, keys
from agent.core.errors import RefusedError
from tests.core.weak_keys import SMALL


def test_a_checkpoint_under_a_weak_key_is_refused() -> None:
    note = checkpoint.sign_checkpoint(1, bytes(32), Ed25519PrivateKey.generate())
    with pytest.raises(RefusedError):
        checkpoint.parse_checkpoint(note, bytes.fromhex(SMALL[0]))


def test_a_checkpoint_without_canonical_base64_is_refused() -> None:
    key = Ed25519PrivateKey.generate()
    note = checkpoint.sign_checkpoint(1, bytes(32), key)
    with pytest.raises(RefusedError, match="canonical"):
        checkpoint.parse_checkpoint(note.replace("AAA=", "AAB="), keys.raw_public(key))
