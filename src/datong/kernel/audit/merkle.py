"""The RFC 6962 Merkle tree: hashing, appending through the frontier, inclusion and consistency proofs.

The tree over n leaves is the one of RFC 6962 §2.1. Built level by level, a node without a right sibling moves up
unchanged, which gives the same tree. A *frontier* is the list of maximal complete subtrees, largest first: all that
appending needs. Proof verification follows RFC 9162 §2.1.3.2 and §2.1.4.2.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

RangeHash = Callable[[int, int], bytes]
"""Gives the Merkle tree hash over the leaves [start, stop)."""


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The maximal complete subtrees of a tree of `size` leaves, largest first. A value: appending makes another."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self.peaks = tuple(peaks)

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def peak_at(self, level: int) -> bytes:
        """The complete subtree of 2**level leaves; the size must have that bit set."""
        return self.peaks[(self.size >> (level + 1)).bit_count()]

    def append(self, leaves: Sequence[bytes]) -> BatchTree:
        return BatchTree(self, leaves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frontier) and (self.size, self.peaks) == (other.size, other.peaks)

    def __hash__(self) -> int:
        return hash((self.size, self.peaks))


class BatchTree:
    """A batch of leaves appended to a frontier: the nodes it made, the new root and frontier, and its paths.

    Cost: about two hashes a leaf, plus one hash for each level of the whole tree.
    """

    __slots__ = ("_levels", "_widths", "first_index", "frontier", "root")

    def __init__(self, before: Frontier, leaves: Sequence[bytes]) -> None:
        if not leaves:
            raise ValueError("a batch has at least one leaf")
        self.first_index = before.size
        size = before.size + len(leaves)
        start, width, nodes, level = before.size, size, list(leaves), 0
        self._levels: list[tuple[int, list[bytes]]] = []
        self._widths: list[int] = []
        peaks: list[bytes] = []
        while True:
            if start & 1:
                # The left sibling lies wholly in the old tree and its parent does not: it is a peak of the frontier.
                start -= 1
                nodes.insert(0, before.peak_at(level))
            self._levels.append((start, nodes))
            self._widths.append(width)
            if size >> level & 1:
                complete = (size >> level) - 1
                peaks.append(nodes[complete - start] if complete >= start else before.peak_at(level))
            if width == 1:
                break
            odd = len(nodes) & 1
            above = [sha256(b"\x01" + nodes[at] + nodes[at + 1]).digest() for at in range(0, len(nodes) - odd, 2)]
            if odd:
                above.append(nodes[-1])
            start, width, nodes, level = start >> 1, (width + 1) >> 1, above, level + 1
        self.root = nodes[0]
        self.frontier = Frontier(size, peaks[::-1])

    def completed(self, step_bits: int) -> list[tuple[int, bytes]]:
        """(n, hashes) for each level n·step_bits at which this batch completed subtrees, their hashes as one piece.

        They follow the first_index >> (n·step_bits) hashes that the level has already; level 0 is the leaves.
        """
        size, found = self.frontier.size, []
        for level in range(0, len(self._levels), step_bits):
            start, nodes = self._levels[level]
            low, high = self.first_index >> level, size >> level
            if low == high:
                break
            found.append((level // step_bits, b"".join(nodes[low - start : high - start])))
        return found

    def path_texts(self) -> list[str]:
        """For each leaf of the batch, its inclusion path as base64 lines, leaf's sibling first.

        Built from the root down, so that each node is encoded once and the part above the batch is shared.
        """
        suffixes = [""]
        above_start = 0
        for (start, nodes), width in zip(reversed(self._levels[:-1]), reversed(self._widths[:-1]), strict=True):
            lines = [b2a_base64(node).decode("ascii") for node in nodes]
            texts = []
            for at in range(len(nodes)):
                index = start + at
                sibling = index ^ 1
                above = suffixes[(index >> 1) - above_start]
                texts.append(lines[sibling - start] + above if sibling < width else above)
            suffixes, above_start = texts, start
        return suffixes[self.first_index - self._levels[0][0] :]


def split_point(count: int) -> int:
    """The largest power of two smaller than `count` (RFC 6962 §2.1: k)."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion_path(index: int, size: int, range_hash: RangeHash) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 §2.1.1, the leaf's sibling first."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    start, stop, path = 0, size, []
    while stop - start > 1:
        middle = start + split_point(stop - start)
        if index < middle:
            path.append(range_hash(middle, stop))
            stop = middle
        else:
            path.append(range_hash(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old_size: int, new_size: int, range_hash: RangeHash) -> list[bytes]:
    """PROOF(m, D[n]) of RFC 6962 §2.1.2; empty when the sizes are equal or the old tree is empty."""
    if not 0 <= old_size <= new_size:
        raise ValueError(f"no consistency from {old_size} to {new_size}")
    if old_size in {0, new_size}:
        return []
    start, stop, path, whole = 0, new_size, [], True
    while old_size != stop:
        middle = start + split_point(stop - start)
        if old_size <= middle:
            path.append(range_hash(middle, stop))
            stop = middle
        else:
            path.append(range_hash(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(range_hash(start, stop))
    return path[::-1]


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that the path leads to (RFC 9162 §2.1.3.2), or None when it has the wrong length."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        node >>= 1
        last >>= 1
    return root if last == 0 else None


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    return root_from_path(leaf, index, size, path) == root


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """RFC 9162 §2.1.4.2; from the empty tree only the empty proof and the empty root are consistent."""
    if not 0 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    if old_size == 0:
        return not path and old_root == EMPTY_ROOT
    proof = list(path)
    if old_size & (old_size - 1) == 0:
        proof.insert(0, old_root)
    if not proof:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old, new = proof[0], proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == new_root
