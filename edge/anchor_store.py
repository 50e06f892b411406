"""The journal as the anchorer sees it: reads beside the writer, keeps answers through the recorder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ledger_sync.anchorer import WaitingBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.journal.reader import Batch, JournalReader
    from edge.recorder import Recorder
    from ledger_sync.proof.anchor import LedgerHead


class JournalAnchorStore:
    """An `AnchorStore`. Reads happen in a worker thread, one at a time, as the reader has one connection."""

    def __init__(self, reader: JournalReader, recorder: Recorder) -> None:
        self.journal_id = reader.id
        self._reader = reader
        self._recorder = recorder
        self._reading = asyncio.Lock()

    async def waiting(self, limit: int) -> Sequence[WaitingBatch]:
        """See AnchorStore."""
        async with self._reading:
            batches = await asyncio.to_thread(self._reader.waiting, limit)
        return [WaitingBatch(batch.number, batch.anchor, batch.refusal is not None) for batch in batches]

    async def check(self, batch: int) -> None:
        """See AnchorStore. Raises JournalCorruptError."""
        async with self._reading:
            found = await asyncio.to_thread(self._reader.batch, batch)
            if found:
                await asyncio.to_thread(self._reader.check_batch, found)

    async def anchor(self, batch: int) -> bytes | None:
        """See AnchorStore."""
        async with self._reading:
            found: Batch | None = await asyncio.to_thread(self._reader.batch, batch)
        return found.anchor if found and found.receipt is None else None

    async def keep_receipt(self, batch: int, receipt: bytes, head: LedgerHead) -> None:
        """See AnchorStore."""
        await self._recorder.keep_answer(batch, receipt, head)

    async def keep_refusal(self, batch: int, refusal: bytes) -> None:
        """See AnchorStore."""
        await self._recorder.keep_answer(batch, refusal, None)

    async def wait_sealed(self) -> None:
        """See AnchorStore."""
        await self._recorder.sealed.wait()
        self._recorder.sealed.clear()
