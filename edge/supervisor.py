"""The supervisor: one task a device, which opens its driver, takes its readings, and opens it again when it fails.

It owns the retry policy (capped, full jitter) for all drivers. A change of a device's state becomes one
`device.health` event and one log line; a device that stays broken says nothing more.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from devices.driver import Answering, DeviceError, Driver, Origin, Reading, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.recorder import OnOutcome, Outcome, Recorder

log = logging.getLogger("wayside.supervisor")

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
STABLE_S = 30.0
CLOSE_MAX_S = 1.0
UNANSWERED_MAX = 1024
REASON_CHARACTERS_MAX = 300
HEALTH = "device.health"
_OF_SUPERVISOR = Refused("device.health is what the gateway finds of a device; a device does not tell it")


class _Answer(NamedTuple):
    reading: Reading
    outcome: Outcome


@dataclass(slots=True)
class SupervisedDevice:
    """A device's driver and how it fares; read by health. Times are UTC seconds."""

    id: str
    driver_name: str
    driver: Driver
    online: bool | None = None
    last_reading_at: float | None = None
    refused: int = 0
    reason: str = ""
    _unanswered: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UNANSWERED_MAX))
    _answers: asyncio.Queue[_Answer] = field(default_factory=lambda: asyncio.Queue(UNANSWERED_MAX))

    async def run(self, recorder: Recorder) -> None:
        """Keep the device read until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_open(recorder), name=f"device {self.id}")
            if isinstance(self.driver, Answering):
                tasks.create_task(self._answer(self.driver), name=f"answers {self.id}")

    async def _keep_open(self, recorder: Recorder) -> None:
        delay_s = BACKOFF_FIRST_S
        while True:
            opened_at = time.monotonic()
            reason = await self._read_until_it_fails(recorder)
            await self._tell(recorder, online=False, reason=reason)
            if time.monotonic() - opened_at >= STABLE_S:
                delay_s = BACKOFF_FIRST_S
            await asyncio.sleep(random.uniform(0, delay_s))  # noqa: S311 - jitter
            delay_s = min(2 * delay_s, BACKOFF_MAX_S)

    async def _read_until_it_fails(self, recorder: Recorder) -> str:
        """Open and read the device; returns why that ended."""
        try:
            await self.driver.open()
            await self._tell(recorder, online=True, reason="")
            async for reading in self.driver.readings():
                await self._take(recorder, reading)
        except DeviceError as error:
            return str(error)
        except Exception as error:
            # A defect of one driver, perhaps a third party's, must not end the others. Its traceback is for its maker.
            reason = f"driver {self.driver_name} failed ({type(error).__name__}); see the log"
            if reason != self.reason:
                log.exception("driver failed; it is opened again", extra={"device": self.id})
            return reason
        finally:
            await self._close()
        return "the driver ended by itself"

    async def _close(self) -> None:
        facts = {"device": self.id, "driver": self.driver_name}
        try:
            async with asyncio.timeout(CLOSE_MAX_S):
                await self.driver.close()
        except TimeoutError:
            log.error("driver does not close", extra=facts)  # noqa: TRY400 - its traceback would be ours
        except Exception:
            log.exception("driver failed to close", extra=facts)

    async def _take(self, recorder: Recorder, reading: Reading) -> None:
        self.last_reading_at = time.time()
        if not isinstance(self.driver, Answering):
            refused = await self._record(recorder, reading, None)
            if refused:
                self._count_refused(reading, refused)
            return
        await self._unanswered.acquire()
        try:
            refused = await self._record(
                recorder, reading, lambda outcome: self._answers.put_nowait(_Answer(reading, outcome))
            )
        except Exception:
            self._unanswered.release()
            raise
        if refused:
            self._answers.put_nowait(_Answer(reading, refused))

    async def _record(self, recorder: Recorder, reading: Reading, on_outcome: OnOutcome | None) -> Refused | None:
        if reading.type == HEALTH:
            return _OF_SUPERVISOR
        return await recorder.record(self.id, reading, on_outcome)

    async def _answer(self, driver: Answering) -> None:
        while True:
            reading, outcome = await self._answers.get()
            if isinstance(outcome, Refused):
                self._count_refused(reading, outcome)
            try:
                await driver.answer(reading, outcome)
            except Exception:
                log.exception("driver failed to answer", extra={"device": self.id, "driver": self.driver_name})
            self._unanswered.release()

    def _count_refused(self, reading: Reading, refused: Refused) -> None:
        self.refused += 1
        if self.refused == 1:
            facts = {"device": self.id, "type": reading.type[:40], "why": refused.why}
            log.warning("a reading was refused; further ones are counted in health", extra=facts)

    async def _tell(self, recorder: Recorder, *, online: bool, reason: str) -> None:
        """Record and log a change of state; the first state of a run counts as a change."""
        self.reason = reason
        if self.online is online:
            return
        self.online = online
        counters = self.driver.counters
        data = {
            "state": "online" if online else "offline",
            "errors": counters.errors,
            "resyncs": counters.resyncs,
            "bytes_dropped": counters.bytes_dropped,
        }
        if reason:
            # A path that is not UTF-8 comes with lone surrogates, which no event can carry.
            data["reason"] = reason.encode(errors="replace").decode()[:REASON_CHARACTERS_MAX]
        level = logging.INFO if online else logging.WARNING
        log.log(level, "device online" if online else "device offline", extra={"device": self.id, "reason": reason})
        await recorder.record(self.id, Reading(HEALTH, data, Origin.UNPROTECTED))


async def supervise(devices: Sequence[SupervisedDevice], recorder: Recorder) -> None:
    """Keep all devices read until cancelled; none waits for another."""
    async with asyncio.TaskGroup() as tasks:
        for device in devices:
            tasks.create_task(device.run(recorder), name=f"supervise {device.id}")
