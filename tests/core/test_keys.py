"""Public keys: weak ones and those of another form are refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core import keys
from agent.core.errors import RefusedError
from tests.core.weak_keys import SMALL


@pytest.mark.parametrize("encoded", SMALL)
def test_each_of_the_14_weak_encodings_is_refused(encoded: str) -> None:
    with pytest.raises(RefusedError) as refused:
        keys.load_verify_key(bytes.fromhex(encoded))
    assert refused.value.code == "E_KEY"


def test_keys_of_another_length_are_refused() -> None:
    for load in (keys.load_verify_key, keys.load_open_key):
        with pytest.raises(RefusedError):
            load(b"short")
    with pytest.raises(RefusedError):
        keys.load_open_key(bytes(32))


def test_raw_public_is_the_same_from_either_half() -> None:
    for key in (Ed25519PrivateKey.generate(), X25519PrivateKey.generate()):
        assert keys.raw_public(key) == keys.raw_public(key.public_key())
