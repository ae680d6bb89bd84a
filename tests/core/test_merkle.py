"""The log's tree: proofs of entries and of history, and the frontier that is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import merkle


@given(st.integers(1, 40), st.data())
def test_every_leaf_has_a_proof_and_every_prefix_is_consistent(size: int, data: st.DataObject) -> None:
    entries = [bytes([n]) for n in range(size)]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    root = merkle.tree_root(leaves)
    place = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proofs(leaves, [place])[place]
    assert merkle.verify_inclusion(entries[place], place, size, proof, root)
    assert not merkle.verify_inclusion(b"other", place, size, proof, root)
    assert not merkle.verify_inclusion(entries[place], place, size, [*proof, root], root)
    if proof:
        assert not merkle.verify_inclusion(entries[place], place, size, proof[:-1], root)
    old = data.draw(st.integers(1, size))
    old_root = merkle.tree_root(leaves[:old])
    path = merkle.consistency_proof(leaves, old)
    assert merkle.verify_consistency(old, old_root, size, root, path)
    assert not merkle.verify_consistency(old, merkle.leaf_hash(b"x"), size, root, path)
    assert not merkle.verify_consistency(old, old_root, size, root, [*path, root])
    if path:
        assert not merkle.verify_consistency(old, old_root, size, root, path[:-1])


def test_proofs_outside_the_tree_are_refused() -> None:
    leaves = [merkle.leaf_hash(b"a")]
    with pytest.raises(IndexError):
        merkle.inclusion_proofs(leaves, [1])[1]
    for size in (0, 2):
        with pytest.raises(IndexError):
            merkle.consistency_proof(leaves, size)
    assert not merkle.verify_inclusion(b"a", 1, 1, [], leaves[0])
    assert not merkle.verify_consistency(0, leaves[0], 1, leaves[0], [])
    assert not merkle.verify_consistency(2, leaves[0], 1, leaves[0], [])
    assert not merkle.verify_consistency(3, leaves[0], 4, leaves[0], [])
    with pytest.raises(ValueError, match="frontier"):
        merkle.Frontier(3, [b""])


def test_a_frontier_is_kept_and_taken_up() -> None:
    frontier = merkle.Frontier()
    for entry in (b"a", b"b", b"c"):
        frontier.append(merkle.leaf_hash(entry))
    assert merkle.Frontier(frontier.size, frontier.hashes).root() == frontier.root()
