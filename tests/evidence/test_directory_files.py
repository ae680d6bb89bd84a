"""The keys of a directory file: a weak or misnamed one verifies nothing and spoils nothing (section 2)."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.errors import RefusedError
from agent.core.ids import kid_of
from agent.core.keys import raw_public
from agent.evidence.directory_files import ListedKey, find_key, find_reply_key, parse_agency
from demo.agency import Agency, to_json
from demo.keys import OpenKey

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


def test_only_a_well_named_strong_key_in_its_time_can_be_answered_to() -> None:
    public = OpenKey().pub
    good = ListedKey(kid_of(public), public, 10, 20)
    assert find_reply_key((good,), public, 10) is good
    assert find_reply_key((good,), public, 20) is None
    misnamed = ListedKey(KID, public, 10, 20)
    assert find_reply_key((misnamed,), public, 10) is None
    assert find_reply_key((misnamed, good), public, 10) is good
    assert find_reply_key((ListedKey(kid_of(WEAK), WEAK, 10, 20),), WEAK, 10) is None


@pytest.mark.parametrize("line", [None, "", "\u202e", 1])
def test_a_contact_is_two_texts_as_the_doorbell_wants_them(line: object) -> None:
    file = Agency().directory_file()
    assert parse_agency(to_json(file), file["id"]).contact == ("+1 555 0100", "examplepd.example")
    for name in ("phone", "web"):
        changed = file | {"contact": file["contact"] | {name: line}}
        with pytest.raises(RefusedError, match="the agency's contact"):
            parse_agency(to_json(changed), file["id"])
