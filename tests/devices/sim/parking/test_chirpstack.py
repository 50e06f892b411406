from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import Reading, Recorded
from devices.parking.chirpstack import ChirpStack, ChirpStackSettings
from devices.sim.device import Placement
from devices.sim.faults import FaultRates
from devices.sim.parking.chirpstack import ParkingSensor, ParkingSensorUplinks
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.simulating import Said, assert_true
from tests.support.brokers import BrokerProcess, start_mosquitto
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 23, 10, 11, 12, 345_678, tzinfo=UTC)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with start_mosquitto(tmp_path) as process:
        yield process


def test_the_same_seed_gives_the_same_sensor_and_its_truth_is_what_the_type_asks_for() -> None:
    one, same = ParkingSensorUplinks("bay-1", 7), ParkingSensorUplinks("bay-1", 7)
    uplinks = [one.message(NOW) for _ in range(50)]
    assert uplinks == [same.message(NOW) for _ in range(50)]
    assert uplinks[0] != ParkingSensorUplinks("bay-1", 8).message(NOW)
    causes = [data["cause"] for message in uplinks for _, data in message.events]
    assert causes[0] == "startup"
    assert set(causes[1:]) == {"change", "heartbeat"}
    for message in uplinks:
        ((kind, data),) = message.events
        assert event_type(kind).check(data)


async def test_a_sensor_with_a_bad_link_is_read_whole(broker: BrokerProcess, tmp_path: Path) -> None:
    said, readings = Said(), list[Reading]()
    rates = FaultRates(noise=0.1, truncate=0.1, unplug=0.02)
    device = ParkingSensor(
        Placement("bay-1", 7, tmp_path, 0.005, faults=rates, options={"broker": str(broker.url)}), said.truth
    )
    await device.start()
    table: dict[str, Any] = device.settings()
    assert table.pop("driver") == "chirpstack"
    settings = read_settings(ChirpStackSettings, table, Problems())
    assert settings is not None
    driver = ChirpStack("bay-1", settings)
    await driver.open()

    async def read() -> None:
        async for reading in driver.readings():
            readings.append(reading)
            await driver.answer(reading, Recorded())

    running, reading = asyncio.create_task(device.run()), asyncio.create_task(read())
    await until(lambda: said.sure() >= 150, "150 are acknowledged")
    running.cancel()
    await asyncio.wait([running])
    await until(lambda: len({one.id for one in readings}) >= said.sure(), "all of them are read")
    reading.cancel()
    await asyncio.wait([reading])
    await driver.close()
    assert_true(readings, said)
    assert driver.counters.errors > 0
