"""The Merkle tree of RFC 9162 section 2.1, with SHA-256.

Hashes are 32 bytes. A tree is named by its size (number of leaves); `node(level, index)` is the root of the complete
subtree over leaves [index * 2**level, (index + 1) * 2**level).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough to append and to give the root, in O(log n) memory."""

    __slots__ = ("_peaks", "size")

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        for leaf in leaves:
            self.append(leaf)

    def append(self, leaf: bytes) -> list[bytes]:
        """Append a leaf hash; returns the nodes that it completed: levels 1, 2, … in order."""
        peaks, completed, size = self._peaks, [], self.size
        while size & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            completed.append(leaf)
            size >>= 1
        peaks.append(leaf)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The root of the tree so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


class Tree:
    """A whole tree in memory, for many proofs over one batch. O(n) hashes, once."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.size = len(leaves)
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])

    def node(self, level: int, index: int) -> bytes:
        """The root of a complete subtree."""
        return self._levels[level][index]

    def root(self) -> bytes:
        """The root of the whole tree."""
        return subtree_root(0, self.size, self.node) if self.size else EMPTY_ROOT

    def inclusion_path(self, index: int) -> list[bytes]:
        """The siblings of leaf `index`, from the leaf up."""
        return inclusion_path(index, self.size, self.node)


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def peaks_of(size: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees that a tree of `size` leaves is made of, largest first."""
    peaks, begin = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            peaks.append((level, begin >> level))
            begin += 1 << level
    return peaks


def subtree_root(begin: int, end: int, node: Callable[[int, int], bytes]) -> bytes:
    """The root over leaves [begin, end), where `begin` is a multiple of the range's largest power of two."""
    size = end - begin
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, begin >> level)
    middle = begin + _split(size)
    return node_hash(subtree_root(begin, middle, node), subtree_root(middle, end, node))


def inclusion_path(index: int, size: int, node: Callable[[int, int], bytes]) -> list[bytes]:
    """The inclusion proof of leaf `index` in a tree of `size` leaves, from the leaf up (RFC 9162 section 2.1.3.1)."""
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(subtree_root(middle, end, node))
            end = middle
        else:
            path.append(subtree_root(begin, middle, node))
            begin = middle
    path.reverse()
    return path


def root_of_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to, or None when its length does not fit (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    node, last = index, size - 1
    root = leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = sha256(b"\x01" + sibling + root).digest()
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            root = sha256(b"\x01" + root + sibling).digest()
        node >>= 1
        last >>= 1
    return root if last == 0 else None


def consistency_path(first: int, second: int, node: Callable[[int, int], bytes]) -> list[bytes]:
    """The consistency proof from a tree of `first` leaves to one of `second` (RFC 9162 section 2.1.4.1).

    Needs 0 < first <= second; for equal sizes the proof is empty.
    """
    path: list[bytes] = []
    begin, end, known = 0, second, True
    while first != end:
        middle = begin + _split(end - begin)
        if first <= middle:
            path.append(subtree_root(middle, end, node))
            end = middle
        else:
            path.append(subtree_root(begin, middle, node))
            begin, known = middle, False
    if not known:
        path.append(subtree_root(begin, end, node))
    path.reverse()
    return path


def is_consistent(first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the second tree continues the first (RFC 9162 section 2.1.4.2).

    A first size of 0 is no consistency request and is refused.
    """
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    proof = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not proof:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old = new = proof[0]
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
    return last == 0 and old == first_root and new == second_root
