from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import DeviceError, Reading, Recorded, WireCounters
from devices.meter import mqtt_message
from devices.meter.mqtt_meter import MqttMeter as Driver
from devices.meter.mqtt_meter import MqttMeterSettings
from devices.sim.device import Placement
from devices.sim.faults import FaultRates
from devices.sim.meter.mqtt import MqttMeter, MqttMeterMessages
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.simulating import Said, assert_true
from tests.support.brokers import BrokerProcess, start_mosquitto
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 23, 10, 11, 12, 345_678, tzinfo=UTC)
FORMATS = ("tasmota", "shelly", "zigbee2mqtt")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with start_mosquitto(tmp_path, durable=True) as process:
        yield process


def driver_for(device: MqttMeter) -> Driver:
    table: dict[str, Any] = device.settings()
    assert table.pop("driver") == "mqtt-meter"
    problems = Problems()
    settings = read_settings(MqttMeterSettings, table, problems)
    assert settings is not None, problems
    return Driver("meter-1", settings)


async def read(driver: Driver, readings: list[Reading]) -> None:
    """Read and answer for ever; open again after a loss, as the supervisor does."""
    while True:
        with suppress(DeviceError):
            async for reading in driver.readings():
                readings.append(reading)
                await driver.answer(reading, Recorded())
        with suppress(DeviceError):
            await driver.open()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_seed_gives_the_same_meter_and_its_truth_is_what_the_type_asks_for(form: str) -> None:
    one, same = MqttMeterMessages("m", 7, form), MqttMeterMessages("m", 7, form)
    messages = [one.message(NOW) for _ in range(20)]
    assert messages == [same.message(NOW) for _ in range(20)]
    assert messages[0] != MqttMeterMessages("m", 8, form).message(NOW)
    for message in messages:
        ((kind, data),) = message.events
        assert event_type(kind).check(data)


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_meter_says_is_what_is_read_of_it(form: str) -> None:
    message = MqttMeterMessages("m", 7, form).message(NOW)
    counters = WireCounters()
    (meter,) = mqtt_message.meters_in(getattr(mqtt_message, form), message.topic, message.payload, counters)
    ((_, data),) = message.events
    assert (meter.id, meter.time) == (data["meter_id"], data["meter_time"])
    read_registers = [{"obis": one.obis, "value": str(one.value), "unit": one.unit} for one in meter.registers]
    assert [row for row in read_registers if row in data["registers"]] == data["registers"]
    assert counters == WireCounters()


@pytest.mark.parametrize("form", FORMATS)
async def test_a_meter_with_a_bad_link_is_read_whole(broker: BrokerProcess, tmp_path: Path, form: str) -> None:
    said, readings = Said(), list[Reading]()
    rates = FaultRates(noise=0.1, truncate=0.1, unplug=0.02, flip=1.0)
    options = {"broker": str(broker.url), "format": form}
    device = MqttMeter(Placement("meter-1", 7, tmp_path, 0.005, faults=rates, options=options), said.truth)
    await device.start()
    driver = driver_for(device)
    await driver.open()
    running = asyncio.create_task(device.run())
    reading = asyncio.create_task(read(driver, readings))
    await until(lambda: said.sure() >= 150, "150 are acknowledged")
    running.cancel()
    await asyncio.wait([running])
    sure = said.sure()
    await until(lambda: len({one.id for one in readings}) >= sure, "all of them are read")
    reading.cancel()
    await asyncio.wait([reading])
    await driver.close()
    assert_true(readings, said)
    assert driver.counters.errors > 0


async def test_what_a_meter_says_while_broker_and_gateway_are_away_is_read_in_the_end(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    said, readings = Said(), list[Reading]()
    options = {"broker": str(broker.url), "format": "shelly"}
    device = MqttMeter(Placement("meter-1", 7, tmp_path, 0.01, options=options), said.truth)
    await device.start()
    driver = driver_for(device)
    await driver.open()
    running = asyncio.create_task(device.run())
    reading = asyncio.create_task(read(driver, readings))
    await until(lambda: len(readings) >= 5, "some are read")
    broker.persist()
    broker.kill()
    kept = said.sure()
    broker.start()
    await until(lambda: said.sure() > kept + 20, "the meter is back")
    running.cancel()
    await asyncio.wait([running])
    rows = said.rows()
    await until(lambda: len({one.id for one in readings}) >= said.sure(), "all of them are read")
    reading.cancel()
    await asyncio.wait([reading])
    await driver.close()
    assert len(rows) >= kept + 20
    assert_true(readings, said)
