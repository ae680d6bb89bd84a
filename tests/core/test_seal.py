"""Wraps and contacts: each opens only what it was made for."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core import ids, keys, seal
from agent.core.errors import RefusedError


def test_a_wrap_that_holds_no_segment_key_is_refused() -> None:
    key = X25519PrivateKey.generate()
    sealed = seal.hpke_seal(keys.raw_public(key), b"seventeen bytes..", b"info")
    with pytest.raises(RefusedError, match="not a segment key"):
        seal.open_cek(key, sealed, b"info")


def test_a_contact_opens_only_for_its_request() -> None:
    key = X25519PrivateKey.generate()
    one, other = ids.sha256_hex(b"1"), ids.sha256_hex(b"2")
    sealed = seal.hpke_seal(keys.raw_public(key), b"{}", seal.contact_info(one))
    assert seal.hpke_open(key, sealed, seal.contact_info(one)) == b"{}"
    with pytest.raises(RefusedError):
        seal.hpke_open(key, sealed, seal.contact_info(other))
