from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_sync.city.growth import ENCODED_HASH_BYTES, Growth
from ledger_sync.city.receipts import group_receipts
from ledger_sync.proof.merkle import Frontier, Tree, peaks_of
from ledger_sync.proof.receipt import proof_of, sign_root
from tests.ledger_sync.city.gateways import CITY, LEDGER_KEY

LEAVES = [sha256(index.to_bytes(4, "big")).digest() for index in range(700)]
sizes = st.tuples(st.integers(0, 600), st.integers(1, 100))


def grown(first: int, count: int) -> Growth:
    tree = Tree(LEAVES[:first])
    peaks = {level: tree.node(level, index) for level, index in peaks_of(first)}
    return Growth(first, peaks, LEAVES[first : first + count])


@settings(deadline=None)
@given(sizes)
def test_root_and_peaks_are_those_of_the_whole_tree(size: tuple[int, int]) -> None:
    growth, tree = grown(*size), Tree(LEAVES[: sum(size)])
    assert growth.root == tree.root()
    assert growth.peaks() == {level: tree.node(level, index) for level, index in peaks_of(tree.size)}


@settings(deadline=None)
@given(sizes)
def test_completed_nodes_are_those_that_a_frontier_completes(size: tuple[int, int]) -> None:
    first, count = size
    growth, frontier = grown(first, count), Frontier(LEAVES[:first])
    for entry in range(first, first + count):
        expected = b"".join((LEAVES[entry], *frontier.append(LEAVES[entry])))
        assert growth.nodes_completed_by(entry) == expected


@settings(deadline=None)
@given(sizes)
def test_paths_are_the_inclusion_paths_of_the_whole_tree(size: tuple[int, int]) -> None:
    first, count = size
    tree, paths = Tree(LEAVES[: first + count]), grown(first, count).encoded_paths()
    assert len(paths) == count
    for entry, path in enumerate(paths, first):
        assert path == b"".join(b"\x58\x20" + sibling for sibling in tree.inclusion_path(entry))
        assert len(path) % ENCODED_HASH_BYTES == 0


@settings(deadline=None)
@given(sizes)
def test_receipts_of_a_group_are_byte_for_byte_those_made_one_by_one(size: tuple[int, int]) -> None:
    first, count = size
    growth, tree = grown(first, count), Tree(LEAVES[: first + count])
    signed = sign_root(CITY, "ledger-1", "log-1", growth.size, 9, growth.root, LEDGER_KEY.kid, LEDGER_KEY.sign)
    for entry, receipt in enumerate(group_receipts(signed, growth), first):
        assert receipt == signed.receipt(proof_of(entry, tree.size, tree.inclusion_path(entry)))
