"""A recorder over a real journal for the length of a block, and readings to give it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from devices.driver import Origin, Reading
from edge.clock import Clock
from edge.journal.files import ensure_born
from edge.journal.reader import JournalReader
from edge.journal.writer import JournalWriter
from edge.recorder import Recorder, RecorderLimits
from ledger_sync.proof.event import parse_event
from tests.edge.journals import CITY, GATEWAY, SIGNER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from edge.recorder import Outcome

DEADLINE_S = 20.0
AT_ONCE = RecorderLimits(commit_count_max=100, commit_age_max_s=0, batch_age_max_s=3600, size_max_bytes=1 << 30)


def tap(reading_id: str | None = None, token: str = "a", kind: str = "fare.tap") -> Reading:
    return Reading(kind, {"direction": "in", "token": token}, Origin.UNPROTECTED, reading_id)


@contextlib.asynccontextmanager
async def recording(
    data_dir: Path,
    limits: RecorderLimits = AT_ONCE,
    *,
    count_max: int = 10_000,
    step: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Recorder]:
    """A started recorder; closed at the end, and all within the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        journal = JournalWriter(ensure_born(data_dir, CITY, GATEWAY), SIGNER, count_max, step)
        recorder = Recorder(journal, Clock(), limits)
        recorder.start()
        try:
            yield recorder
        finally:
            await recorder.close()


def recorded(data_dir: Path) -> list[Any]:
    """The events of the current journal."""
    with JournalReader(ensure_born(data_dir, CITY, GATEWAY)) as reader:
        return [parse_event(one.statement) for one in reader.events()]


def batch_counts(data_dir: Path) -> list[int]:
    with JournalReader(ensure_born(data_dir, CITY, GATEWAY)) as reader:
        return [batch.count for batch in reader.batches()]


class Outcomes:
    """Takes outcomes, and lets a test wait for them."""

    def __init__(self) -> None:
        self.taken: list[Outcome] = []
        self._changed = asyncio.Event()

    def __call__(self, outcome: Outcome) -> None:
        self.taken.append(outcome)
        self._changed.set()

    async def wait(self, count: int) -> list[Outcome]:
        while len(self.taken) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.taken


class Gate:
    """A step of the journal at which the writer's thread stops until it is let through."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open = threading.Event()
        self.reached = threading.Event()
        self.passes = 0

    def __call__(self, step: str) -> None:
        if step == self._name:
            self.passes += 1
            self.reached.set()
            assert self._open.wait(DEADLINE_S)

    def open(self) -> None:
        self._open.set()

    async def wait(self) -> None:
        """Until the writer stands at the gate."""
        assert await asyncio.to_thread(self.reached.wait, DEADLINE_S)
