"""The tree of the log: RFC 6962 section 2.1, SHA-256.

Hashes are 32 raw bytes. A `Frontier` is the tree's right edge: enough to append and to know the root, in
log2(n) hashes. Proofs need all leaf hashes.
"""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: the roots of its perfect subtrees, largest first.

    Invariant: there is one hash for each set bit of `size`, in order of falling weight.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size.bit_count() != len(hashes):
            raise ValueError("the frontier does not fit its size")
        self.size = size
        self._hashes = list(hashes)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The frontier itself, to be kept."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        size = self.size
        while size & 1:
            leaf = _node(self._hashes.pop(), leaf)
            size >>= 1
        self._hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of all leaves so far."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = _node(left, root)
        return root


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def _split_point(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proofs(leaves: Sequence[bytes], places: Iterable[int]) -> dict[int, list[bytes]]:
    """Return the audit path of each place, nearest sibling first; the tree is hashed once for all of them.

    Raises:
        IndexError: there is no such leaf.
    """
    paths: dict[int, list[bytes]] = {place: [] for place in places}
    if any(not 0 <= place < len(leaves) for place in paths):
        raise IndexError(f"not within a log of {len(leaves)} entries")
    level, depth = list(leaves), 0
    while len(level) > 1:
        for place, path in paths.items():
            sibling = place >> depth ^ 1
            if sibling < len(level):
                path.append(level[sibling])
        # An odd node at the end has no sibling: it moves up as it is, which is RFC 6962's split by powers of two.
        paired = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level, depth = paired + level[len(level) & ~1 :], depth + 1
    return paths


def verify_inclusion(entry: bytes, n: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether `entry` is leaf `n` of the tree of `size` leaves with that root (RFC 9162 section 2.1.3.2)."""
    if not 0 <= n < size:
        return False
    node, last, current = n, size - 1, leaf_hash(entry)
    for step in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            current = _node(step, current)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            current = _node(current, step)
        node, last = node >> 1, last >> 1
    return last == 0 and current == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the first `old_size` leaves are a prefix of all.

    Raises:
        IndexError: `old_size` is not within 1 … len(leaves).
    """
    if not 1 <= old_size <= len(leaves):
        raise IndexError(old_size)
    path: list[bytes] = []
    low, high, complete = 0, len(leaves), True
    while old_size != high:
        middle = low + _split_point(high - low)
        if old_size <= middle:
            path.append(tree_root(leaves[middle:high]))
            high = middle
        else:
            path.append(tree_root(leaves[low:middle]))
            low, complete = middle, False
    if not complete:
        path.append(tree_root(leaves[low:high]))
    path.reverse()
    return path


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the tree of `size` leaves only appended to the old one (RFC 9162 section 2.1.4.2)."""
    if not 1 <= old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = _node(step, old), _node(step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = _node(new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == root
