from __future__ import annotations

import asyncio
import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.driver import DeviceError, Origin
from devices.meter.modbus import Modbus, ModbusSettings
from devices.sim.device import Placement, Truth
from devices.sim.faults import FaultRates
from devices.sim.meter.modbus import ModbusMeter
from devices.sim.meter.modbus_registers import MODELS, MeterRegisters
from devices.sim.meter.modbus_wire import crc16
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from devices.driver import Reading


def as_text(reading: Reading) -> dict[str, Any]:
    return {**reading.data, "registers": [{**row, "value": str(row["value"])} for row in reading.data["registers"]]}


class Street:
    """Simulated meters that run, the drivers that read them, and the truth that they told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = io.StringIO()
        self._truth = Truth(self._file)
        self._running: list[asyncio.Task[None]] = []

    async def meter(self, device: str, faults: FaultRates | None = None, seed: int = 7, **options: Any) -> Modbus:
        placement = Placement(device, seed, self._folder, 0.1, faults=faults or FaultRates(), options=options)
        meter = ModbusMeter(placement, self._truth)
        await meter.start()
        self._running.append(asyncio.create_task(meter.run()))
        problems = Problems()
        own = {key: one for key, one in meter.settings().items() if key != "driver"}
        settings = read_settings(ModbusSettings, own, problems)
        assert settings is not None, problems
        return Modbus(device, settings)

    def truth(self, device: str) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self._file.getvalue().splitlines()]
        return [row for row in rows if row["device"] == device]

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        for task in self._running:
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    street = Street(tmp_path)
    yield street
    await street.stop()


@pytest.mark.parametrize("tcp", [False, True], ids=["rtu", "tcp"])
@pytest.mark.parametrize("model", MODELS)
async def test_the_driver_records_the_meters_truth_each_poll_once(street: Street, model: str, *, tcp: bool) -> None:
    driver = await street.meter("meter-1", model=model, tcp=tcp)
    await driver.open()
    readings = await take(driver, 3)
    await driver.close()
    told = street.truth("meter-1")[:3]
    assert [as_text(reading) for reading in readings] == [row["data"] for row in told]
    assert all(row["sure"] for row in told)
    assert all(event_type("meter.reading").check(reading.data) for reading in readings)
    assert {reading.origin for reading in readings} == {Origin.UNPROTECTED if tcp else Origin.CHECKSUM}
    assert readings[0].data["integrity"] == ("none" if tcp else "crc")


@pytest.mark.parametrize("tcp", [False, True], ids=["rtu", "tcp"])
async def test_meters_of_different_makes_share_a_bus(street: Street, *, tcp: bool) -> None:
    drivers = [
        await street.meter(f"meter-{unit}", seed=unit, model=model, unit=unit, bus="street", tcp=tcp)
        for unit, model in enumerate(MODELS, 1)
    ]
    for driver in drivers:
        await driver.open()
    await asyncio.gather(*(take(driver, 3) for driver in drivers))
    for driver in drivers:
        assert driver.counters.readings == 3
        assert driver.counters.errors == 0
        await driver.close()


async def record(driver: Modbus, count: int) -> list[dict[str, Any]]:
    """Like the supervisor: opens again after each loss."""
    recorded: list[dict[str, Any]] = []
    while len(recorded) < count:
        with contextlib.suppress(DeviceError):
            await driver.open()
            async with contextlib.aclosing(driver.readings()) as readings:  # type: ignore[type-var]
                async for reading in readings:
                    recorded.append(as_text(reading))
                    if len(recorded) == count:
                        break
        await asyncio.sleep(0.01)
    await driver.close()
    return recorded


@pytest.mark.parametrize(
    "faults",
    [
        FaultRates(noise=0.5, flip=0.1, truncate=0.1),
        FaultRates(unplug=0.2),
        FaultRates(slow_s=0.1),
    ],
    ids=["noise", "unplug", "slow"],
)
async def test_on_a_bad_wire_all_that_is_sure_is_recorded_once_and_nothing_else(
    street: Street, faults: FaultRates
) -> None:
    driver = await street.meter("meter-1", faults, model="em340")
    async with asyncio.timeout(30):
        recorded = await record(driver, 6)
    told = street.truth("meter-1")
    data = [row["data"] for row in told]
    sure = [row["data"] for row in told if row["sure"]]
    places = [data.index(one) for one in recorded]
    assert places == sorted(set(places))
    assert [one for one in sure[:-1] if one not in recorded] == []  # the last may be under way at the end


def test_the_same_seed_gives_the_same_meter_and_energy_never_falls() -> None:
    for model in MODELS:
        one, same, other = (MeterRegisters(model, seed) for seed in (7, 7, 8))
        assert one.reading("crc") == same.reading("crc")
        assert one.reading("crc") != other.reading("crc")
        before = [0.0, 0.0]
        for _ in range(200):
            one.step()
            now = [float(row["value"]) for row in one.reading("crc")["registers"] if ".8." in row["obis"]]
            assert all(new >= old for new, old in zip(now, before, strict=True))
            before = now


def test_the_checksum_is_the_published_one() -> None:
    assert crc16(b"123456789") == bytes.fromhex("374B")
