from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from devices.driver import DeviceError, Reading, Recorded
from devices.jsonl.driver import Jsonl, JsonlSettings
from devices.sim.device import Placement
from devices.sim.faults import FaultRates
from devices.sim.parking.terminal import ParkingSessions, ParkingTerminal
from ledger_sync.proof.event import encode_data
from ledger_sync.proof.event_types import event_type
from tests.devices.recording import record
from tests.devices.simulating import Said, as_told
from tests.edge.recording import recorded, recording
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def terminal_in(folder: Path, said: Said, rates: FaultRates | None = None) -> ParkingTerminal:
    return ParkingTerminal(Placement("terminal-1", 7, folder, 0.01, faults=rates or FaultRates()), said.truth)


def test_a_terminals_sessions_are_what_the_event_type_asks_for_and_small_enough_to_settle() -> None:
    sessions = ParkingSessions(seed=7, run="r", now=lambda: datetime(2026, 11, 23, tzinfo=UTC))
    states = set()
    for _ in range(200):
        event = json.loads(sessions.say(0.0))
        assert encode_data(event_type(event["type"]), event["data"])
        states.add(event["data"]["state"])
    assert states == {"started", "extended", "ended", "cancelled"}


async def test_a_session_goes_from_the_terminal_into_the_journal(tmp_path: Path) -> None:
    said = Said()
    terminal = terminal_in(tmp_path, said)
    await terminal.start()
    assert terminal.settings() == {"driver": "jsonl", "port": str(tmp_path / "terminal-1")}
    driver = Jsonl("terminal-1", JsonlSettings(str(tmp_path / "terminal-1")))
    await driver.open()
    running = asyncio.create_task(terminal.run())
    async with recording(tmp_path / "data") as recorder:
        assert await record(driver, recorder, 20) == [Recorded()] * 20
    await until(lambda: said.sure() >= 20, "the terminal is told")
    running.cancel()
    await asyncio.wait([running])
    await driver.close()
    events = recorded(tmp_path / "data")
    readings = [Reading(event.type, event.data, event.origin) for event in events]
    said_first = [row["data"] for row in said.rows().values()][:20]
    assert {event.type for event in events} == {"parking.session"}
    assert [as_told(reading) for reading in readings] == said_first


async def test_sessions_on_a_bad_line_are_sent_again_until_each_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.sim.line_device.RESEND_AFTER_S", 0.1)
    said, readings = Said(), list[Reading]()
    terminal = terminal_in(tmp_path, said, FaultRates(noise=0.1, truncate=0.1, unplug=0.02))
    await terminal.start()
    driver = Jsonl("terminal-1", JsonlSettings(str(tmp_path / "terminal-1")))

    async def read() -> None:
        while True:
            with suppress(DeviceError):
                await driver.open()
                async for reading in driver.readings():
                    readings.append(reading)
                    await driver.answer(reading, Recorded())
            await asyncio.sleep(0.02)

    running, reading = asyncio.create_task(terminal.run()), asyncio.create_task(read())
    await until(lambda: said.sure() >= 40, "40 are acknowledged")
    for task in (running, reading):
        task.cancel()
    await asyncio.wait([running, reading])
    await driver.close()
    told = [as_told(one) for one in readings]
    assert all(row["data"] in told for row in said.rows().values() if row["sure"])
    assert driver.counters.errors > 0
