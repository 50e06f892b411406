"""Held against the recursive definitions of RFC 9162, written here a second time and straight from its text."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_sync.proof.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    consistency_path,
    inclusion_path,
    is_consistent,
    leaf_hash,
    node_hash,
    peaks_of,
    root_of_inclusion,
    subtree_root,
)

ENTRIES = [b"entry %d" % number for number in range(130)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
SIZES = st.integers(1, len(ENTRIES))


def split_of(n: int) -> int:
    """k: the largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(entries: Sequence[bytes]) -> bytes:
    """MTH, RFC 9162 section 2.1.1."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = split_of(len(entries))
    return sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH, section 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = split_of(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF, section 2.1.4.1; PROOF is this with whole = True."""
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = split_of(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], whole=whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], whole=False), mth(entries[:k])]


def test_roots_are_those_of_the_definition_at_every_size() -> None:
    frontier = Frontier()
    assert frontier.root() == Tree([]).root() == EMPTY_ROOT == mth([])
    for size in range(1, len(ENTRIES) + 1):
        frontier.append(LEAVES[size - 1])
        assert frontier.root() == Tree(LEAVES[:size]).root() == mth(ENTRIES[:size])


def test_paths_are_those_of_the_definition_and_lead_to_the_root() -> None:
    for size in range(1, 40):
        tree = Tree(LEAVES[:size])
        for index in range(size):
            proof = tree.inclusion_path(index)
            assert proof == path(index, ENTRIES[:size])
            assert root_of_inclusion(LEAVES[index], index, size, proof) == tree.root()


def test_consistency_proofs_are_those_of_the_definition_and_hold() -> None:
    tree = Tree(LEAVES[:40])
    for second in range(1, 40):
        for first in range(1, second + 1):
            proof = consistency_path(first, second, tree.node)
            assert proof == subproof(first, ENTRIES[:second], whole=True)
            assert is_consistent(first, mth(ENTRIES[:first]), second, mth(ENTRIES[:second]), proof)


@given(SIZES, st.data())
def test_another_index_or_leaf_or_length_of_path_does_not_lead_to_the_root(size: int, data: st.DataObject) -> None:
    tree = Tree(LEAVES[:size])
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index)) if size > 1 else 1
    proof = tree.inclusion_path(index)
    assert root_of_inclusion(LEAVES[index], other, size, proof) != tree.root()
    assert root_of_inclusion(leaf_hash(b"forged"), index, size, proof) != tree.root()
    assert root_of_inclusion(LEAVES[index], index, size, [*proof, LEAVES[0]]) is None
    if proof:
        assert root_of_inclusion(LEAVES[index], index, size, proof[:-1]) is None


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0), (0, -1)])
def test_a_leaf_outside_the_tree_has_no_root(index: int, size: int) -> None:
    assert root_of_inclusion(LEAVES[0], index, size, []) is None


def test_an_endless_path_is_refused_after_the_trees_height() -> None:
    assert root_of_inclusion(LEAVES[0], 0, 1 << 64, [LEAVES[0]] * 100_000) is None


@given(SIZES, st.data())
def test_a_forged_history_is_not_consistent(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    tree = Tree(LEAVES[:second])
    proof = consistency_path(first, second, tree.node)
    old, new = mth(ENTRIES[:first]), tree.root()
    assert is_consistent(first, old, second, new, proof)
    forged = sha256(b"forged").digest()
    assert not is_consistent(first, forged, second, new, proof)
    assert not is_consistent(first, old, second, forged, proof)
    assert not is_consistent(first, old, second, new, [*proof, forged])
    for position in range(len(proof)):
        assert not is_consistent(first, old, second, new, [*proof[:position], forged, *proof[position + 1 :]])
        assert not is_consistent(first, old, second, new, proof[:position])


def test_from_size_zero_nothing_is_proven() -> None:
    tree = Tree(LEAVES[:8])
    assert not is_consistent(0, EMPTY_ROOT, 8, tree.root(), [])
    assert not is_consistent(0, EMPTY_ROOT, 8, tree.root(), [tree.root()])
    assert not is_consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])


def test_equal_sizes_need_equal_roots_and_no_proof() -> None:
    root = Tree(LEAVES[:5]).root()
    assert is_consistent(5, root, 5, root, [])
    assert not is_consistent(5, root, 5, root, [root])
    assert not is_consistent(5, root, 5, EMPTY_ROOT, [])


def test_a_tree_does_not_shrink() -> None:
    assert not is_consistent(5, mth(ENTRIES[:5]), 4, mth(ENTRIES[:4]), [])


def test_a_node_that_is_not_32_bytes_proves_nothing() -> None:
    tree = Tree(LEAVES[:7])
    proof = consistency_path(3, 7, tree.node)
    joined = proof[0] + proof[1]
    shifted = [joined[:31], joined[31:], *proof[2:]]
    assert not is_consistent(3, mth(ENTRIES[:3]), 7, tree.root(), shifted)


def test_the_last_leaf_is_promoted_and_never_doubled() -> None:
    three, doubled = Tree(LEAVES[:3]).root(), Tree([*LEAVES[:3], LEAVES[2]]).root()
    assert three == node_hash(node_hash(LEAVES[0], LEAVES[1]), LEAVES[2])
    assert three != doubled


def test_an_inner_node_never_passes_as_a_leaf() -> None:
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])


@given(SIZES)
def test_an_append_tells_the_nodes_that_it_completes(size: int) -> None:
    frontier, nodes = Frontier(), {}
    for index, leaf in enumerate(LEAVES[:size]):
        nodes[0, index] = leaf
        for level, node in enumerate(frontier.append(leaf), start=1):
            nodes[level, index >> level] = node
    tree = Tree(LEAVES[:size])
    assert nodes == {(level, i): tree.node(level, i) for level, i in nodes}

    def stored(level: int, index: int) -> bytes:
        return nodes[level, index]

    assert all(inclusion_path(index, size, stored) == tree.inclusion_path(index) for index in range(size))
    assert subtree_root(0, size, stored) == tree.root()


@given(st.integers(0, 1 << 40))
def test_the_peaks_of_a_tree_are_complete_subtrees_largest_first_that_hold_all_its_leaves(size: int) -> None:
    begin = 0
    levels = [level for level, _ in peaks_of(size)]
    assert levels == sorted(set(levels), reverse=True)
    for level, index in peaks_of(size):
        assert index << level == begin
        begin += 1 << level
    assert begin == size
