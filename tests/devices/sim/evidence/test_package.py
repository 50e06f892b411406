"""The simulated vendor box and the driver, over a real directory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import DeviceError, Reading
from devices.evidence.package import Package
from devices.sim.device import Placement
from devices.sim.evidence import package as simulator
from devices.sim.evidence.package import PackageBox
from devices.sim.faults import FaultRates
from ledger_sync.proof.report import data_to_json
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.simulating import Said
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

ALL_FAULTS = FaultRates(noise=0.3, truncate=0.3, unplug=0.2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "_SETTLE_S", 0.5)
    monkeypatch.setattr(simulator, "_POLL_S", 0.1)


async def signed(
    folder: Path, said: Said, seconds: float, rates: FaultRates, **options: Any
) -> tuple[Package, list[Any]]:
    """What a gateway signs of a box in so many seconds, and then until it has all that is sure."""
    box = PackageBox(Placement("box-1", 6, folder, 0.1, faults=rates, options=options), said.truth)
    await box.start()
    table = {key: value for key, value in box.settings().items() if key != "driver"}
    settings = read_settings(Package.Settings, table, Problems())
    assert settings is not None
    driver, readings = Package("box-1", settings), dict[str | None, Reading]()

    async def read() -> None:
        while True:
            try:
                await driver.open()
                async for reading in driver.readings():
                    readings.setdefault(reading.id, reading)
            except DeviceError:
                await driver.close()
                await asyncio.sleep(0.05)

    reading, running = asyncio.create_task(read()), asyncio.create_task(box.run())
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.wait([running])
    away = folder / "box-1.away"
    if away.exists():
        away.rename(folder / "box-1")
    await until(lambda: len(readings) >= said.sure())
    reading.cancel()
    await asyncio.wait([reading])
    await driver.close()
    return driver, [data_to_json(one.data) for one in readings.values()]


def holds_link(folder: Path) -> bool:
    return any(path.is_symlink() for path in folder.rglob("*"))


@pytest.mark.parametrize("options", [{}, {"marker": "READY"}], ids=["settling", "marker"])
async def test_every_finished_case_is_signed_once_in_order_and_no_torn_one(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    said = Said()
    driver, told = await signed(tmp_path, said, 2.0, ALL_FAULTS, **options)
    sure = [row["data"] for row in said.rows().values()]
    # Without a marker, what was finished just before the end lies a while before the truth has it.
    assert told[: len(sure)] == sure
    assert len(sure) > 5
    assert driver.counters.errors > 0
    assert await asyncio.to_thread(holds_link, tmp_path)


async def test_only_the_newest_cases_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "_KEPT", 3)
    monkeypatch.setattr(simulator, "_PAUSE_S", 0.0)
    said = Said()
    box = PackageBox(Placement("box-1", 6, tmp_path, 0.01, options={"marker": "READY"}), said.truth)
    await box.start()
    running = asyncio.create_task(box.run())
    await until(lambda: said.sure() > 5)
    running.cancel()
    await asyncio.wait([running])
    assert len(list((tmp_path / "box-1").glob("*/READY"))) == 3


async def test_the_same_seed_gives_the_same_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "_PAUSE_S", 0.0)
    cases = [await first_cases(tmp_path / run) for run in "ab"]
    assert cases[0] == cases[1]


async def first_cases(folder: Path) -> list[Any]:
    said = Said()
    box = PackageBox(Placement("box-1", 6, folder, 0.01, options={"marker": "READY"}), said.truth)
    await box.start()
    running = asyncio.create_task(box.run())
    await until(lambda: said.sure() >= 3)
    running.cancel()
    await asyncio.wait([running])
    return [row["data"] for row in said.rows().values()][:3]
