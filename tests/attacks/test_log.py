"""An adversary who holds the device key or the card rewrites the log; a checkpoint saved before tells."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agent.core.checkpoint import parse_checkpoint, sign_checkpoint
from agent.core.errors import RefusedError
from agent.core.keys import raw_public
from agent.core.merkle import (
    consistency_proof,
    inclusion_proofs,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.fakes.consent_house import seed

DEVICE = Ed25519PrivateKey.from_private_bytes(seed("device, a test key"))
PUB = raw_public(DEVICE)
ENTRIES = [b'{"n":%d,"t":"state"}' % n for n in range(11)]
SAVED_SIZE = 7


def tree(entries: list[bytes]) -> list[bytes]:
    return [leaf_hash(entry) for entry in entries]


def saved() -> tuple[int, bytes]:
    """What a phone remembers: the checkpoint of the first seven entries."""
    note = sign_checkpoint(SAVED_SIZE, tree_root(tree(ENTRIES[:SAVED_SIZE])), DEVICE)
    checkpoint = parse_checkpoint(note, PUB)
    return checkpoint.size, checkpoint.root


def is_consistent(entries: list[bytes]) -> bool:
    size, root = saved()
    leaves = tree(entries)
    if len(leaves) < size:
        return False
    return verify_consistency(size, root, len(leaves), tree_root(leaves), consistency_proof(leaves, size))


def test_an_honest_log_is_consistent_with_a_saved_checkpoint() -> None:
    assert is_consistent(ENTRIES)
    assert is_consistent(ENTRIES[:SAVED_SIZE])


@pytest.mark.parametrize("place", range(SAVED_SIZE))
def test_an_entry_that_was_removed_is_detected(place: int) -> None:
    assert not is_consistent(ENTRIES[:place] + ENTRIES[place + 1 :])


@pytest.mark.parametrize("place", range(SAVED_SIZE))
def test_an_entry_that_was_rewritten_is_detected(place: int) -> None:
    forked = [*ENTRIES]
    forked[place] = b'{"n":%d,"t":"other"}' % place
    assert not is_consistent(forked)


def test_a_log_that_went_back_is_detected() -> None:
    assert not is_consistent(ENTRIES[: SAVED_SIZE - 1])


def test_entries_in_another_order_are_detected() -> None:
    assert not is_consistent([ENTRIES[1], ENTRIES[0], *ENTRIES[2:]])


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=6))
def test_no_made_up_proof_hides_a_fork(proof: list[bytes]) -> None:
    size, root = saved()
    forked = tree([b"other", *ENTRIES[1:]])
    assert not verify_consistency(size, root, len(forked), tree_root(forked), proof)


def test_a_checkpoint_of_another_device_is_none_of_this_one() -> None:
    other = Ed25519PrivateKey.from_private_bytes(seed("another device, a test key"))
    note = sign_checkpoint(SAVED_SIZE, tree_root(tree(ENTRIES)), other)
    with pytest.raises(RefusedError):
        parse_checkpoint(note, PUB)


def test_an_entry_can_not_be_shown_at_another_place_or_as_a_node() -> None:
    leaves = tree(ENTRIES)
    root = tree_root(leaves)
    proof = inclusion_proofs(leaves, [3])[3]
    assert verify_inclusion(ENTRIES[3], 3, len(leaves), proof, root)
    for n in (2, 4, 3 + len(leaves), -1):
        assert not verify_inclusion(ENTRIES[3], n, len(leaves), proof, root)
    inner = b"".join(leaves[:2])  # an inner node's bytes as if they were an entry
    assert not verify_inclusion(inner, 0, len(leaves) // 2, inclusion_proofs(leaves, [0])[0][1:], root)
