"""Anchors that came before their predecessors: kept for a while, in memory, so that a gap closes without a resend.

Losing one loses nothing: a gateway sends each anchor again until it has its receipt.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.topics import BatchAddress

PER_CHAIN_MAX = 1024
BYTES_MAX = 16 * 1024 * 1024


class Parking:
    """Anchors by their address; when they take more than `bytes_max`, the oldest make room."""

    def __init__(self, *, per_chain_max: int = PER_CHAIN_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._per_chain_max = per_chain_max
        self._bytes_max = bytes_max
        self._parked: OrderedDict[BatchAddress, bytes] = OrderedDict()
        self._per_chain: Counter[tuple[str, bytes]] = Counter()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._parked)

    def put(self, address: BatchAddress, anchor: bytes) -> None:
        """Park an anchor, unless its batch is parked already or its chain has its full share."""
        chain = (address.gateway, address.journal)
        if address in self._parked or self._per_chain[chain] >= self._per_chain_max:
            return
        self._parked[address] = anchor
        self._per_chain[chain] += 1
        self._bytes += len(anchor)
        while self._bytes > self._bytes_max:
            self._forget(*self._parked.popitem(last=False))

    def take(self, address: BatchAddress) -> bytes | None:
        """The anchor parked for this batch, which is no longer parked then."""
        anchor = self._parked.pop(address, None)
        if anchor is not None:
            self._forget(address, anchor)
        return anchor

    def _forget(self, address: BatchAddress, anchor: bytes) -> None:
        chain = (address.gateway, address.journal)
        self._bytes -= len(anchor)
        self._per_chain[chain] -= 1
        if not self._per_chain[chain]:
            del self._per_chain[chain]
