"""The supervisor: one task a device, which opens its driver, takes its readings, and opens it again when it fails.

It owns the retry policy (capped, full jitter) for all drivers. A change of a device's state becomes one
`device.health` event and one log line; a device that stays broken says nothing more, and neither does one whose wire
opens and fails again and again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.driver import (
    Answering,
    CommittedEvent,
    DeviceError,
    Driver,
    Following,
    Impaired,
    PassingOver,
    Reading,
    Refused,
    Resuming,
)
from edge.device.recording_policy import RecordingPolicy
from ledger_sync.proof.errors import SchemaError
from ledger_sync.proof.event_types import HEALTH
from ledger_sync.proof.fields import tellable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge.device.config import CommonSettings
    from edge.recorder import OnOutcome, Outcome, Recorder

log = logging.getLogger("wayside.supervisor")

BACKOFF_FIRST_S = 0.5
# A device that comes back is opened within this: a meter replugged under another name is read within 10 s, and a reader
# that needs a second for its secure channel takes cards again within 5 s.
BACKOFF_MAX_S = 4.0
HELD_S = 5.0
HOLD_MAX_S = 3600.0
IMPAIRMENT_LOOK_S = 1.0
OPEN_MAX_S = 30.0
CLOSE_MAX_S = 1.0
UNANSWERED_MAX = 1024
READINGS_IN_A_ROW_MAX = 32
REASON_CHARACTERS_MAX = 300
CONTACT, TAMPER = "contact.state", "gateway.tamper"


class _Answer(NamedTuple):
    """`outcome` is None for a reading that is passed over."""

    reading: Reading
    outcome: Outcome | None


@dataclass(slots=True)
class SupervisedDevice:
    """A device's driver and how it fares; read by health. Times are UTC seconds.

    `last_recorded`: the data from which a driver that can do so (`Resuming`) goes on, until it has.

    It is online from its first reading on, when its driver is sure of it, or when its wire has held for 5 s. If it is
    lost sooner than that after it came online, the next time only the latter counts: a wire that flaps is told once.
    Each opening that was held and gave no reading doubles what the next must hold: a device that is there, and never
    says anything usable, too.
    """

    settings: CommonSettings
    driver: Driver
    gateway: str
    last_recorded: Mapping[str, Any] | None = None
    online: bool | None = None
    last_reading_at: float | None = None
    refused: int = 0
    reason: str = ""
    policy: RecordingPolicy = field(init=False)
    _is_answering: bool = field(init=False)
    _is_passing_over: bool = field(init=False)
    _flaps: bool = False
    _hold_s: float = field(default_factory=lambda: HELD_S)
    _opened_at: float = math.inf
    _taken: int = 0
    _telling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _unanswered: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UNANSWERED_MAX))
    _answers: asyncio.Queue[_Answer] = field(default_factory=lambda: asyncio.Queue(UNANSWERED_MAX))

    def __post_init__(self) -> None:
        # Asked once: Python takes longer to tell than the policy takes to thin a reading.
        self._is_answering = isinstance(self.driver, Answering)
        self._is_passing_over = isinstance(self.driver, PassingOver)
        self.policy = RecordingPolicy(self.settings, answering=self._is_answering, passing_over=self._is_passing_over)

    @property
    def id(self) -> str:
        """The device's id."""
        return self.settings.id

    @property
    def driver_name(self) -> str:
        """The name of its driver."""
        return self.settings.driver

    async def run(self, recorder: Recorder) -> None:
        """Keep the device read until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_open(recorder), name=f"device {self.id}")
            if isinstance(self.driver, Answering):
                tasks.create_task(self._answer(self.driver), name=f"answers {self.id}")

    async def record_totals(self, recorder: Recorder) -> None:
        """Record what was counted since the last recorded total; to be called once, after the device has ended."""
        for reading in self.policy.totals_withheld():
            if refused := await recorder.record(self.id, reading):
                self._count_refused(reading, refused)

    def follow(self, event: CommittedEvent) -> None:
        """Tell a driver that follows of a committed event; raises nothing."""
        if isinstance(self.driver, Following):
            try:
                self.driver.follow(event)
            except Exception as error:  # noqa: BLE001 - a driver's defect, told; other devices are told all the same
                self._log_defect("driver failed to follow", error)

    async def _keep_open(self, recorder: Recorder) -> None:
        delay_s = BACKOFF_FIRST_S
        while True:
            self._opened_at, taken_before = math.inf, self._taken
            reason = await self._read_until_it_fails(recorder)
            has_held = time.monotonic() - self._opened_at >= HELD_S
            if self._taken > taken_before:
                self._hold_s = HELD_S
            elif has_held:
                self._hold_s = min(2 * self._hold_s, HOLD_MAX_S)
            self._flaps = not has_held and (self._flaps or self.online is True)
            await self._tell(recorder, online=False, reason=reason)
            if has_held:
                delay_s = BACKOFF_FIRST_S
            await asyncio.sleep(random.uniform(0, delay_s))  # noqa: S311 - jitter
            delay_s = min(2 * delay_s, BACKOFF_MAX_S)

    async def _read_until_it_fails(self, recorder: Recorder) -> str:
        """Open and read the device; returns why that ended."""
        held = None
        try:
            async with asyncio.timeout(OPEN_MAX_S) as deadline:
                self._resume()
                await self.driver.open()
            self._opened_at = time.monotonic()
            held = asyncio.create_task(self._watch_opened(recorder), name=f"held {self.id}")
            async for reading in self.driver.readings():
                await self._take(recorder, reading)
        except DeviceError as error:
            return str(error)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return self._defect(error)
        except Exception as error:  # noqa: BLE001 - the supervisor's task: a driver's defect is told and tried again
            if isinstance(error, TimeoutError) and deadline.expired():
                return f"driver {self.driver_name} did not open its device within {OPEN_MAX_S:g} s; check the device"
            return self._defect(error)
        finally:
            if held is not None:
                held.cancel()
                await asyncio.wait([held])
            await self._close()
        return "the driver ended by itself"

    def _resume(self) -> None:
        if self.last_recorded is not None and isinstance(self.driver, Resuming):
            self.driver.resume(self.last_recorded)
            # Not before: a driver that cannot go on stays unopened, as from the beginning its total would fall.
            self.last_recorded = None

    def _defect(self, error: BaseException) -> str:
        """Tell the maker of a driver, perhaps a third party, what its defect was; returns what an operator is told."""
        reason = f"driver {self.driver_name} failed ({type(error).__name__}); see the log"
        if reason != self.reason:
            self._log_defect("driver failed; it is opened again", error)
        return reason

    async def _watch_opened(self, recorder: Recorder) -> None:
        """Tell that the device is online once its wire has held, and from then on what it cannot do."""
        await self._hold()
        if self.last_reading_at is None and self.driver.counters.errors:
            mend = f"`wayside device try {self.driver_name}` shows what is wrong with it"
            log.warning("nothing that the device says is usable", extra={"device": self.id, "mend": mend})
        await self._tell(recorder, online=True, reason=self._impairment())
        while isinstance(self.driver, Impaired):
            await asyncio.sleep(IMPAIRMENT_LOOK_S)
            await self._tell(recorder, online=True, reason=self._impairment())

    async def _hold(self) -> None:
        held_at = self._opened_at + self._hold_s
        while isinstance(self.driver, Impaired) and time.monotonic() < held_at - IMPAIRMENT_LOOK_S:
            if self.driver.is_at_work and not self._flaps:
                return
            await asyncio.sleep(IMPAIRMENT_LOOK_S)
        await asyncio.sleep(held_at - time.monotonic())

    def _impairment(self) -> str:
        return self.driver.impairment if isinstance(self.driver, Impaired) else ""

    async def _close(self) -> None:
        facts = {"device": self.id, "driver": self.driver_name}
        try:
            async with asyncio.timeout(CLOSE_MAX_S):
                await self.driver.close()
        except TimeoutError:
            log.error("driver does not close", extra=facts)  # noqa: TRY400 - its traceback would be ours
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            self._log_defect("driver failed to close", error)
        except Exception as error:  # noqa: BLE001 - as above
            self._log_defect("driver failed to close", error)

    async def _take(self, recorder: Recorder, reading: Reading) -> None:
        self.last_reading_at = time.time()
        if not self.online and not self._flaps:
            await self._tell(recorder, online=True, reason=self._impairment())
        taken = self.policy.take(reading, self.last_reading_at, time.monotonic())
        if not taken and self._is_passing_over:
            await self._unanswered.acquire()
            self._answers.put_nowait(_Answer(reading, None))
        for one in taken:
            if one is reading and self._is_answering:
                await self._record_and_answer(recorder, one)
            elif refused := await self._record(recorder, one, None):
                self._count_refused(one, refused)
        self._taken += 1
        if self._taken % READINGS_IN_A_ROW_MAX == 0:
            # Neither a driver that never waits nor what is thinned here would leave the loop to other devices.
            await asyncio.sleep(0)

    async def _record_and_answer(self, recorder: Recorder, reading: Reading) -> None:
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
        refused = await recorder.record(self.id, reading, on_outcome)
        if refused is None and reading.type == CONTACT and self.settings.role == "tamper":
            data = {"device": self.id, "contact": reading.data["contact"], "active": reading.data["active"]}
            await recorder.record_own(self.gateway, TAMPER, data)
        return refused

    async def _answer(self, driver: Answering) -> None:
        while True:
            reading, outcome = await self._answers.get()
            if isinstance(outcome, Refused):
                self._count_refused(reading, outcome)
            try:
                if outcome is not None:
                    await driver.answer(reading, outcome)
                elif isinstance(driver, PassingOver):
                    await driver.pass_over(reading)
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                self._log_defect("driver failed to answer", error)
            except Exception as error:  # noqa: BLE001 - as above
                self._log_defect("driver failed to answer", error)
            self._unanswered.release()

    def _count_refused(self, reading: Reading, refused: Refused) -> None:
        self.policy.forget(reading)
        self.refused += 1
        if self.refused == 1:
            facts = {"device": self.id, "type": tellable(reading.type), "why": refused.why}
            log.warning("a reading was refused; further ones are counted in health", extra=facts)

    def _log_defect(self, message: str, error: BaseException) -> None:
        """Where a driver failed, without the error's own words: they may quote the wire, and so a card's number."""
        trace = "".join(traceback.format_tb(error.__traceback__))
        facts = {"device": self.id, "driver": self.driver_name, "error": type(error).__name__, "trace": trace}
        log.error(message, extra=facts)

    async def _tell(self, recorder: Recorder, *, online: bool, reason: str) -> None:
        """Record and log a change of state; the first state of a run counts as a change.

        A reason beside `online` is what the device cannot do; another one is a change, too.
        """
        async with self._telling:
            is_told = self.online is online and (not online or self.reason == reason)
            self.reason = reason
            if is_told:
                return
            state = "offline" if not online else "impaired" if reason else "online"
            counters = self.driver.counters
            data = {
                "state": state,
                "errors": counters.errors,
                "resyncs": counters.resyncs,
                "bytes_dropped": counters.bytes_dropped,
            }
            if reason:
                # A path that is not UTF-8 comes with lone surrogates, which no event can carry.
                data["reason"] = reason.encode(errors="replace").decode()[:REASON_CHARACTERS_MAX]
            level = logging.INFO if state == "online" else logging.WARNING
            log.log(level, "device %s", state, extra={"device": self.id, "reason": reason})
            try:
                await recorder.record_about(self.id, HEALTH, data)
            except SchemaError as error:
                # A driver of a third party, whose counters are none: its device is read all the same.
                log.error("device.health cannot be recorded", extra={"device": self.id, "why": str(error)})  # noqa: TRY400
            self.online = online


def _is_cancelled() -> bool:
    """Whether this task is to end.

    Else a CancelledError is a defect: a driver awaited a task that it had cancelled itself. It would end the task of
    its device without a word.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def supervise(devices: Sequence[SupervisedDevice], recorder: Recorder) -> None:
    """Keep all devices read until cancelled; none waits for another."""
    async with asyncio.TaskGroup() as tasks:
        for device in devices:
            tasks.create_task(device.run(recorder), name=f"supervise {device.id}")
