"""The keys of a directory file: a weak or misnamed one verifies nothing and spoils nothing (section 2)."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.ids import kid_of
from agent.core.keys import raw_public
from agent.evidence.directory_files import ListedKey, find_key

GOOD = raw_public(Ed25519PrivateKey.from_private_bytes(b"a key of this test alone, public"))
MISNAMED = raw_public(Ed25519PrivateKey.from_private_bytes(b"another one of this test, public"))
WEAK = bytes(32)
KID = kid_of(GOOD)


def _listed(public: bytes) -> ListedKey:
    return ListedKey(KID, public, 0, 10)


@pytest.mark.parametrize("bad", [MISNAMED, WEAK], ids=["misnamed", "weak"])
def test_a_bad_key_does_not_stand_in_the_way_of_the_good_one_of_its_name(bad: bytes) -> None:
    good = _listed(GOOD)
    assert find_key((_listed(bad), good), KID) is good
    assert find_key((good, _listed(bad)), KID) is good


def test_a_bad_key_alone_is_found_so_that_it_is_named_as_the_fault() -> None:
    bad = _listed(MISNAMED)
    assert find_key((bad,), KID) is bad
    assert find_key((bad,), kid_of(MISNAMED)) is None
