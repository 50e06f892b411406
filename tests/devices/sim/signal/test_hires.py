from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from devices.signal import hires
from devices.signal.hires import Hires, HiresSettings
from devices.sim.device import DeviceClock, Placement, Truth
from devices.sim.faults import FaultRates
from devices.sim.signal.cycle import Step
from devices.sim.signal.hires import HiresController
from ledger_sync.proof.settings import Problems, read_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hires, "FOLLOW_EVERY_S", 0.01)


def said(truth: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in truth.getvalue().splitlines()]


async def recorded(
    controller: HiresController, truth: io.StringIO, seconds: float, *, to_the_end: bool, **keys: Any
) -> list[Any]:
    """What a gateway reads of the simulated controller; `to_the_end`: and then until it has all that is sure."""
    await controller.start()
    table = {key: value for key, value in controller.settings().items() if key != "driver"}
    settings = read_settings(HiresSettings, table | keys, Problems())
    assert settings is not None
    driver = Hires("signal-1", settings)
    await driver.open()
    readings: list[Any] = []

    complete = asyncio.Event()

    async def read() -> None:
        async for reading in driver.readings():
            readings.append(dict(reading.data))
            if running.done() and len(readings) == sum(row["sure"] for row in said(truth)):
                complete.set()

    reading, running = asyncio.create_task(read()), asyncio.create_task(controller.run())
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    if to_the_end and len(readings) < sum(row["sure"] for row in said(truth)):
        async with asyncio.timeout(10):
            await complete.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await driver.close()
    return readings


async def test_every_row_of_a_log_that_is_damaged_and_rotated_is_read_once_and_in_order(tmp_path: Path) -> None:
    truth = io.StringIO()
    faults = FaultRates(noise=0.2, flip=0.1, truncate=0.2, unplug=0.5)
    placement = Placement(id="signal-1", seed=4, folder=tmp_path, interval_s=0.1, faults=faults)
    controller = HiresController(placement, Truth(truth))
    found = await recorded(controller, truth, 3.0, to_the_end=True)
    assert found == [row["data"] for row in said(truth) if row["sure"]]
    assert len(found) > 20
    assert (tmp_path / "signal-1.csv.1").is_file()


async def test_a_log_that_is_served_and_forgets_its_older_half_is_read_once_and_in_order(tmp_path: Path) -> None:
    truth = io.StringIO()
    placement = Placement(
        id="signal-1", seed=4, folder=tmp_path, interval_s=0.1, options={"http": True, "rows_max": 60}
    )
    controller = HiresController(placement, Truth(truth))
    found = await recorded(controller, truth, 3.2, to_the_end=False, pull_every_s=1)
    sure = [row["data"] for row in said(truth)]
    assert found == sure[: len(found)]
    assert len(found) > 10


async def test_a_controller_with_daylight_saving_writes_the_hour_twice(tmp_path: Path) -> None:
    clock = DeviceClock(start=datetime(2024, 11, 3, 5, 50, tzinfo=UTC), scale=3600)
    placement = Placement(id="signal-1", seed=4, folder=tmp_path, clock=clock, options={"zone": "America/New_York"})
    controller = HiresController(placement, Truth())
    await controller.start()
    for _ in range(20):
        await controller.change(Step(0, 2, "vehicle", "green"))
        await asyncio.sleep(0.02)
    stamps = [line.split(",")[0] for line in controller.path.read_text().splitlines()[1:]]
    assert {stamp[:14] for stamp in stamps} == {"2024-11-03T01:"}
    assert stamps != sorted(stamps)
