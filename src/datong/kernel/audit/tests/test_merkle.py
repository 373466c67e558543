"""The tree against the definition of RFC 6962 §2.1, written out naively."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.kernel.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_from_path,
    verify_consistency,
    verify_inclusion,
)


def naive_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, by its words."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(index: int, entries: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 §2.1.1."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if index < k:
        return [*naive_path(index, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(index - k, entries[k:]), naive_root(entries[:k])]


def entries_of(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


batch_sizes = st.lists(st.integers(1, 70), min_size=1, max_size=8)


def test_known_roots_of_the_certificate_transparency_reference() -> None:
    """The eight leaves and roots that the reference implementations of RFC 6962 test with."""
    leaves = [
        bytes.fromhex(text)
        for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
    ]
    assert naive_root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    tree = Frontier().append([leaf_hash(leaf) for leaf in leaves])
    assert tree.root == naive_root(leaves)


@given(batch_sizes)
@settings(max_examples=80, deadline=None)
def test_appending_in_batches_gives_the_root_and_every_path(sizes: list[int]) -> None:
    entries = entries_of(sum(sizes))
    frontier, done = Frontier(), 0
    for size in sizes:
        tree = frontier.append([leaf_hash(entry) for entry in entries[done : done + size]])
        done += size
        assert tree.root == tree.frontier.root() == naive_root(entries[:done])
        texts = tree.path_texts()
        assert len(texts) == size
        for index, text in enumerate(texts, start=done - size):
            path = [b64decode(line) for line in text.splitlines()]
            assert path == naive_path(index, entries[:done])
            assert verify_inclusion(leaf_hash(entries[index]), index, done, path, tree.root)
        frontier = tree.frontier
    assert Frontier(frontier.size, frontier.peaks) == frontier


@given(st.integers(1, 200), st.data())
@settings(max_examples=200, deadline=None)
def test_inclusion_holds_for_this_leaf_at_this_index_only(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(index, size, lambda start, stop: naive_root(entries[start:stop]))
    root = naive_root(entries)
    leaf = leaf_hash(entries[index])
    assert path == naive_path(index, entries)
    assert verify_inclusion(leaf, index, size, path, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, path, root)
    other = data.draw(st.integers(-2, size + 3))
    if other != index:
        assert not verify_inclusion(leaf, other, size, path, root)
    assert not verify_inclusion(leaf, index, size, [*path, root], root)
    if path:
        assert not verify_inclusion(leaf, index, size, path[:-1], root)
        at = data.draw(st.integers(0, len(path) - 1))
        bent = [*path]
        bent[at] = bytes([path[at][0] ^ 1]) + path[at][1:]
        assert not verify_inclusion(leaf, index, size, bent, root)


@given(st.integers(0, 150), st.integers(0, 150), st.data())
@settings(max_examples=250, deadline=None)
def test_consistency_holds_for_true_prefixes_only(first: int, second: int, data: st.DataObject) -> None:
    old_size, new_size = sorted((first, second))
    entries = entries_of(new_size)
    path = consistency_path(old_size, new_size, lambda start, stop: naive_root(entries[start:stop]))
    old_root, new_root = naive_root(entries[:old_size]), naive_root(entries)
    assert verify_consistency(old_size, new_size, old_root, new_root, path)
    forged = naive_root([b"forged", *entries[1:old_size]])
    if old_size:
        assert not verify_consistency(old_size, new_size, forged, new_root, path)
    else:
        assert not verify_consistency(old_size, new_size, forged, new_root, path)
    assert not verify_consistency(old_size, new_size, old_root, node_hash(new_root, new_root), path) or old_size == 0
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        bent = [*path]
        bent[at] = bytes([path[at][0] ^ 1]) + path[at][1:]
        assert not verify_consistency(old_size, new_size, old_root, new_root, bent)
        assert not verify_consistency(old_size, new_size, old_root, new_root, path[:-1])
    assert not verify_consistency(old_size, new_size, old_root, new_root, [*path, new_root])


def test_the_edges() -> None:
    assert Frontier().root() == EMPTY_ROOT == naive_root([])
    assert root_from_path(b"x" * 32, 0, 0, []) is None
    with pytest.raises(ValueError, match="at least one leaf"):
        Frontier().append([])
    with pytest.raises(ValueError, match="peaks"):
        Frontier(3, [b"x" * 32])
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_path(3, 3, lambda _start, _stop: b"")
