"""Journals that were set aside: what was sealed in them and is intact is still anchored, under their own ids.

That ends at the first damaged batch without a receipt: the ledger could not continue the chain behind it. Nothing new
is ever sealed or signed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from edge.journal.errors import JournalError
from edge.journal.files import journals_set_aside
from edge.journal.reader import JournalReader
from edge.journal.schema import open_to_write
from ledger_sync.anchorer import WaitingBatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ledger_sync.proof.anchor import LedgerHead

log = logging.getLogger("wayside.set-aside")


class SetAsideStore:
    """An `AnchorStore` over a damaged journal: its batches before the first damage, which is told once."""

    def __init__(self, reader: JournalReader) -> None:
        self.journal_id = reader.id
        self._reader = reader
        self._is_told = False
        self._checked: set[int] = set()
        self._reading = asyncio.Lock()

    async def waiting(self, limit: int) -> Sequence[WaitingBatch]:
        """See AnchorStore; only batches that are intact."""
        async with self._reading:
            return await asyncio.to_thread(self._intact, limit)

    def _intact(self, limit: int) -> list[WaitingBatch]:
        intact: list[WaitingBatch] = []
        try:
            for batch in self._reader.waiting(limit):
                if batch.number not in self._checked:
                    self._reader.check_batch(batch)
                    self._checked.add(batch.number)
                intact.append(WaitingBatch(batch.number, batch.anchor, batch.refusal is not None))
        except JournalError as error:
            self._tell(error)
        return intact

    async def check(self, batch: int) -> None:
        """See AnchorStore; `waiting` has checked it."""

    async def anchor(self, batch: int) -> bytes | None:
        """See AnchorStore."""
        async with self._reading:
            try:
                found = await asyncio.to_thread(self._reader.batch, batch)
            except JournalError as error:
                self._tell(error)
                return None
        return found.anchor if found and found.receipt is None else None

    async def keep_receipt(self, batch: int, receipt: bytes, head: LedgerHead) -> None:  # noqa: ARG002 - the port's
        """See AnchorStore. The head plays no part: nothing is signed in this journal any more."""
        await self._keep("UPDATE batch SET receipt = ?, answered_us = ? WHERE number = ?", receipt, batch)

    async def keep_refusal(self, batch: int, refusal: bytes) -> None:
        """See AnchorStore."""
        await self._keep("UPDATE batch SET refusal = ?, answered_us = ? WHERE number = ?", refusal, batch)

    async def wait_sealed(self) -> None:
        """See AnchorStore; nothing is sealed here."""
        await asyncio.Event().wait()

    async def _keep(self, update: str, answer: bytes, batch: int) -> None:
        async with self._reading:
            try:
                await asyncio.to_thread(_execute, self._reader.path, update, (answer, time.time_ns() // 1000, batch))
            except sqlite3.Error as error:
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        if not self._is_told:
            facts = {"journal": self.journal_id.hex(), "problem": str(error), "path": str(self._reader.path)}
            log.error("a journal that was set aside cannot be anchored further; keep its folder", extra=facts)
        self._is_told = True


def _execute(path: Path, update: str, parameters: tuple[object, ...]) -> None:
    with contextlib.closing(open_to_write(path)) as connection:
        connection.execute(update, parameters)


def open_set_aside(data_dir: Path, stack: contextlib.ExitStack) -> list[SetAsideStore]:
    """A store for each journal that was set aside and can still be read; `stack` closes their readers."""
    stores = []
    for path in journals_set_aside(data_dir):
        try:
            reader = stack.enter_context(JournalReader(path))
        except JournalError as error:
            log.warning("a journal that was set aside cannot be read", extra={"problem": str(error)})
            continue
        stores.append(SetAsideStore(reader))
    return stores
