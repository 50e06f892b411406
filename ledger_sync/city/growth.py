"""A Merkle tree that grows by a group of leaves: everything about the new leaves, without reading the old tree.

The peaks of the old tree (the roots of its complete subtrees) are enough: they are the only old siblings that a new
leaf can have.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ledger_sync.proof.merkle import peaks_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HASH_HEAD = b"\x58\x20"
ENCODED_HASH_BYTES = 34
"""A hash as a CBOR byte string."""


class Growth:
    """A tree of `first` leaves with `leaves` (hashes, at least one) appended; `peaks` are the old ones by level.

    Row `level` of the tree holds the nodes over the new leaves and, where their number would begin odd, the peak to
    their left; a last node without a sibling is carried up as it is (RFC 9162 section 2.1.1 in other words).
    """

    __slots__ = ("_begins", "_old_peaks", "_rows", "first", "root", "size")

    def __init__(self, first: int, peaks: Mapping[int, bytes], leaves: Sequence[bytes]) -> None:
        self.first = first
        self.size = first + len(leaves)
        self._old_peaks = peaks
        self._rows: list[list[bytes]] = []
        self._begins: list[int] = []
        begin, row = first, list(leaves)
        while True:
            if begin & 1:
                begin -= 1
                row.insert(0, peaks[len(self._rows)])
            self._rows.append(row)
            self._begins.append(begin)
            if begin == 0 and len(row) == 1:
                break
            above = [sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row) - 1, 2)]
            if len(row) & 1:
                above.append(row[-1])
            begin, row = begin >> 1, above
        self.root = row[0]

    def nodes_completed_by(self, entry: int) -> bytes:
        """The hashes of the complete subtrees whose last leaf is the new leaf `entry`, level 0 first."""
        if not entry & 1:
            return self._rows[0][entry - self._begins[0]]
        levels = (entry ^ (entry + 1)).bit_length()
        return b"".join(self._rows[level][(entry >> level) - self._begins[level]] for level in range(levels))

    def peaks(self) -> dict[int, bytes]:
        """The peaks of the grown tree, by level."""
        peaks = {}
        for level, index in peaks_of(self.size):
            position = index - self._begins[level]
            peaks[level] = self._rows[level][position] if position >= 0 else self._old_peaks[level]
        return peaks

    def encoded_paths(self) -> list[bytes]:
        """Each new leaf's inclusion path, siblings as CBOR byte strings from the leaf up, without the array's head.

        Made from the root down, so that leaves share what their paths have in common.
        """
        paths = [b""]
        for level in range(len(self._rows) - 2, -1, -1):
            row, begin, above = self._rows[level], self._begins[level], self._begins[level + 1]
            below = []
            for position in range(len(row)):
                # Every row begins even, so that siblings stand at positions 2i and 2i + 1.
                path = paths[(begin + position >> 1) - above]
                sibling = position ^ 1
                below.append(_HASH_HEAD + row[sibling] + path if sibling < len(row) else path)
            paths = below
        return paths[self.first - self._begins[0] :]
