"""What devices have said before: their own ids of readings, so that a reading sent again is recorded once.

An entry is 32 bytes: BLAKE2b-128 of the id, then of the content. The last 10,000 of each device are remembered, in
memory for the lookup and beside each batch for the next start.
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

RECALL_MIN = 10_000
_HALF = 16
ENTRY_BYTES = 2 * _HALF


def recall_entry(reading_id: str, event_type: str, data: bytes) -> bytes:
    """The entry of a reading; its content is type and (encoded) data, evidence included."""
    content = event_type.encode() + b"\x00" + data
    return blake2b(reading_id.encode(), digest_size=_HALF).digest() + blake2b(content, digest_size=_HALF).digest()


class Seen(enum.Enum):
    """What is remembered of an entry."""

    NEW = enum.auto()
    SAME = enum.auto()
    OTHER_CONTENT = enum.auto()


class DeviceRecall:
    """The remembered entries of one device, oldest first, and the sealed batches that hold them."""

    def __init__(self) -> None:
        self._contents: OrderedDict[bytes, bytes] = OrderedDict()
        self._open: list[bytes] = []
        self._sealed: deque[tuple[int, int]] = deque()

    def look_up(self, entry: bytes) -> Seen:
        """Whether the device said this before."""
        content = self._contents.get(entry[:_HALF])
        if content is None:
            return Seen.NEW
        return Seen.SAME if content == entry[_HALF:] else Seen.OTHER_CONTENT

    def remember(self, entry: bytes) -> None:
        """Remember an entry of the open batch."""
        self._contents[entry[:_HALF]] = entry[_HALF:]
        self._open.append(entry)

    def seal(self, batch: int) -> bytes:
        """The open batch became `batch`: returns what to store beside it."""
        entries = b"".join(self._open)
        if entries:
            self._sealed.append((batch, len(self._open)))
            self._open.clear()
        return entries

    def restore(self, batches_newest_first: Iterable[tuple[int, bytes]]) -> None:
        """Take up what earlier batches stored; reads no more of it than is remembered."""
        taken: list[tuple[int, bytes]] = []
        count = 0
        for batch, entries in batches_newest_first:
            if count >= RECALL_MIN:
                break
            taken.append((batch, entries))
            count += len(entries) // ENTRY_BYTES
        for batch, entries in reversed(taken):
            self._sealed.append((batch, len(entries) // ENTRY_BYTES))
            for start in range(0, len(entries), ENTRY_BYTES):
                self._contents[entries[start : start + _HALF]] = entries[start + _HALF : start + ENTRY_BYTES]

    def forget_old(self) -> int | None:
        """Drop what is beyond the last 10,000; returns the batch up to which stored entries may go, if any."""
        forgotten = None
        while self._sealed and len(self._contents) - self._sealed[0][1] >= RECALL_MIN:
            batch, count = self._sealed.popleft()
            for _ in range(count):
                self._contents.popitem(last=False)
            forgotten = batch
        return forgotten
