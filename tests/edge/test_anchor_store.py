from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from edge.anchor_store import JournalAnchorStore
from edge.journal.errors import JournalCorruptError
from edge.journal.files import current_journal
from edge.journal.reader import JournalReader
from ledger_sync.anchorer import WaitingBatch
from tests.edge.journals import Ledger, alter, anchors
from tests.edge.recording import recording, tap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge.recorder import Recorder


@contextlib.asynccontextmanager
async def store_over(data_dir: Path, events: int) -> AsyncIterator[tuple[JournalAnchorStore, Recorder]]:
    """A store over a journal of `events` batches of one event each."""
    async with recording(data_dir, count_max=1) as recorder:
        for _ in range(events):
            await recorder.record("gate-1", tap())
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        with JournalReader(current_journal(data_dir)) as reader:
            yield JournalAnchorStore(reader, recorder), recorder


async def test_what_waits_is_told_until_it_has_a_receipt(tmp_path: Path) -> None:
    async with store_over(tmp_path, 2) as (store, _):
        made, ledger = anchors(current_journal(tmp_path)), Ledger()
        assert await store.waiting(2) == [WaitingBatch(batch, made[batch], refused=False) for batch in (1, 2)]
        await store.keep_refusal(1, ledger.refuse(made[1]))
        assert [(one.batch, one.refused) for one in await store.waiting(64)] == [(2, False), (3, False), (1, True)]
        await store.keep_receipt(1, *ledger.register(made[1]))
        await store.keep_receipt(1, *ledger.register(made[1]))
        assert [one.batch for one in await store.waiting(64)] == [2, 3]
        assert await store.anchor(1) is None
        assert await store.anchor(2) == made[2]
        assert await store.anchor(9) is None


async def test_an_answer_is_durable_on_return(tmp_path: Path) -> None:
    async with store_over(tmp_path, 1) as (store, _):
        receipt, head = Ledger().register(anchors(current_journal(tmp_path))[1])
        await store.keep_receipt(1, receipt, head)
        with JournalReader(current_journal(tmp_path)) as reader:
            batch = reader.batch(1)
        assert batch is not None
        assert (batch.receipt, batch.state) == (receipt, "receipted")


async def test_a_batch_is_hashed_again(tmp_path: Path) -> None:
    async with store_over(tmp_path, 2) as (store, _):
        await store.check(2)
        alter(
            current_journal(tmp_path),
            "UPDATE event SET statement = (SELECT statement FROM event WHERE sequence = 1) WHERE sequence = 2",
        )
        await store.check(1)
        with pytest.raises(JournalCorruptError):
            await store.check(2)


async def test_a_seal_wakes_whoever_waits_once(tmp_path: Path) -> None:
    async with store_over(tmp_path, 0) as (store, recorder):
        await store.wait_sealed()
        waiting = asyncio.create_task(store.wait_sealed())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await recorder.record_own("gw-1", "gateway.heartbeat", {})
        await waiting


async def test_many_may_read_at_once(tmp_path: Path) -> None:
    async with store_over(tmp_path, 20) as (store, _):
        await asyncio.gather(*(store.check(batch) for batch in range(1, 21)), *(store.waiting(64) for _ in range(20)))
