"""Recording what a driver reads into a real journal, with answers, as the gateway does."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, cast

from devices.driver import Driver, Reading, Recorded, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from edge.recorder import Outcome, Recorder


class AnsweringDriver(Driver, Protocol):
    """A driver that is `Answering` too."""

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None: ...


async def record(driver: AnsweringDriver, recorder: Recorder, count: int, *, answers: bool = True) -> list[Outcome]:
    """Read and record `count` readings; each is answered once its outcome is known. The outcomes."""
    outcomes: list[Outcome] = []
    async with asyncio.timeout(20), aclosing(cast("AsyncGenerator[Reading]", driver.readings())) as readings:
        async for reading in readings:
            outcome = await _outcome(recorder, reading)
            outcomes.append(outcome)
            if answers:
                await driver.answer(reading, outcome)
            if len(outcomes) == count:
                break
    return outcomes


async def _outcome(recorder: Recorder, reading: Reading) -> Outcome:
    known: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    refused = await recorder.record("device-1", reading, known.set_result)
    return refused or cast("Outcome", await known)
