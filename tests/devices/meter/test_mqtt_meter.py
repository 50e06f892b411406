from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import DeviceError, Origin, PassingOver, Recorded, WireCounters, WireRole
from devices.meter.mqtt_meter import MqttMeter, MqttMeterSettings
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.publishing import publish
from tests.devices.recording import record
from tests.edge.recording import recorded, recording
from tests.support.brokers import BrokerProcess, start_mosquitto

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from broker.url import BrokerUrl


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with start_mosquitto(tmp_path, durable=True) as process:
        yield process


def settings(url: BrokerUrl, **table: Any) -> MqttMeterSettings:
    problems = Problems()
    found = read_settings(MqttMeterSettings, {"url": str(url), **table}, problems)
    assert found is not None, problems
    return found


@contextlib.asynccontextmanager
async def opened(url: BrokerUrl, **table: Any) -> AsyncIterator[MqttMeter]:
    driver = MqttMeter("meters-1", settings(url, **table))
    await driver.open()
    try:
        yield driver
    finally:
        await driver.close()


def sensor(second: int, energy: str = "3.185", plug: str = "plug-7") -> tuple[str, bytes]:
    payload = f'{{"Time":"2026-11-23T10:11:{second:02d}","ENERGY":{{"Total":{energy},"Power":32,"Voltage":232}}}}'
    return f"tele/{plug}/SENSOR", payload.encode()


async def test_one_device_reads_all_plugs_that_its_topic_catches(broker: BrokerProcess) -> None:
    async with opened(broker.url) as driver:
        assert driver.wire_role is WireRole.LISTEN_ONLY
        await publish(broker.url, sensor(1), sensor(1, "7.000", "plug-8"), ("tele/plug-7/STATE", b"{}"))
        first, second = await take(driver, 2)
    assert first.data == {
        "meter_id": "plug-7",
        "meter_time": "2026-11-23T10:11:01",
        "integrity": "none",
        "registers": [
            {"obis": "1-0:1.8.0", "value": Decimal("3.185"), "unit": "kWh"},
            {"obis": "1-0:16.7.0", "value": Decimal(32), "unit": "W"},
        ],
    }
    assert second.data["meter_id"] == "plug-8"
    assert first.origin is Origin.UNPROTECTED
    assert_plain(first.data)
    assert event_type("meter.reading").check(first.data)
    assert driver.counters.readings == 2


async def test_the_registers_that_are_recorded_can_be_chosen(broker: BrokerProcess) -> None:
    async with opened(broker.url, registers=["32.7.0"]) as driver:
        await publish(broker.url, sensor(1))
        (reading,) = await take(driver, 1)
    assert [row["obis"] for row in reading.data["registers"]] == ["1-0:32.7.0"]


async def test_other_formats_have_topics_of_their_own(broker: BrokerProcess) -> None:
    shelly = b'{"method":"NotifyStatus","params":{"ts":1.5,"switch:0":{"aenergy":{"total":6.532},"voltage":230}}}'
    async with opened(broker.url, format="shelly") as driver:
        await publish(broker.url, ("shellyplus1pm-1/events/rpc", shelly))
        (reading,) = await take(driver, 1)
        assert reading.data["registers"] == [{"obis": "1-0:15.8.0", "value": Decimal("6.532"), "unit": "Wh"}]
    async with opened(broker.url, format="zigbee2mqtt", client_id="other") as driver:
        await publish(broker.url, ("zigbee2mqtt/plug", b'{"energy":1.50}'))
        (reading,) = await take(driver, 1)
        assert reading.data["registers"] == [{"obis": "1-0:1.8.0", "value": Decimal("1.50"), "unit": "kWh"}]


async def test_any_json_can_be_described(broker: BrokerProcess) -> None:
    field = [{"path": "SML.96.Total", "obis": "1-0:3.8.0", "unit": "kvarh"}]
    async with opened(broker.url, format="json", topic="tele/+/SENSOR", field=field, time_path="Time") as driver:
        await publish(broker.url, ("tele/sml/SENSOR", b'{"Time":"now","SML":{"96":{"Total":1.5}}}'))
        (reading,) = await take(driver, 1)
    assert reading.data == {
        "meter_id": "tele/sml/SENSOR",
        "meter_time": "now",
        "integrity": "none",
        "registers": [{"obis": "1-0:3.8.0", "value": Decimal("1.5"), "unit": "kvarh"}],
    }


async def test_garbage_is_counted_acknowledged_and_does_not_stop_what_is_good(broker: BrokerProcess) -> None:
    topic, good = sensor(1)
    noise = [bytes(range(256)), b"", good[:-5], b"[" * 60_000, b"x" * 70_000]
    async with opened(broker.url) as driver:
        await publish(broker.url, *((topic, payload) for payload in noise), (topic, good))
        (reading,) = await take(driver, 1)
        assert driver.counters.errors == len(noise)
        assert driver.counters.bytes_dropped == sum(map(len, noise))
        assert driver.counters.last_error
        await driver.answer(reading, Recorded())
        await publish(broker.url, sensor(2))
        await take(driver, 1)
    async with opened(broker.url) as driver:
        (again,) = await take(driver, 1)
        assert again.data["meter_time"] == "2026-11-23T10:11:02"


async def test_a_gateway_that_dies_before_or_after_the_commit_neither_loses_nor_doubles(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    messages = [sensor(second, f"{second}.5") for second in range(6)]
    # These have no time of their own; the first two say the same.
    untimed = [("tele/plug-9/SENSOR", b'{"ENERGY":{"Total":%d}}' % energy) for energy in (1, 1, 2)]
    async with recording(tmp_path / "data") as recorder:
        async with opened(broker.url) as driver:
            await publish(broker.url, *messages, *untimed)
            await take(driver, 9)  # read, and nothing recorded
        async with opened(broker.url) as driver:
            await record(driver, recorder, 9, answers=False)  # recorded, and the broker not told
        async with opened(broker.url) as driver:
            assert await record(driver, recorder, 9) == [Recorded()] * 9
            await publish(broker.url, sensor(10))
            await record(driver, recorder, 1)
    events = [event.data for event in recorded(tmp_path / "data")]
    assert [event["meter_time"] for event in events[:6]] == [f"2026-11-23T10:11:0{second}" for second in range(6)]
    assert [str(event["registers"][0]["value"]) for event in events[6:9]] == ["1", "1", "2"]
    assert len(events) == 10


async def test_a_reading_that_is_not_worth_recording_does_not_come_again_either(broker: BrokerProcess) -> None:
    async with opened(broker.url) as driver:
        assert isinstance(driver, PassingOver)
        await publish(broker.url, sensor(1), sensor(2))
        for reading in await take(driver, 2):
            await driver.pass_over(reading)
    async with opened(broker.url) as driver:
        await publish(broker.url, sensor(3))
        (reading,) = await take(driver, 1)
        assert reading.data["meter_time"] == "2026-11-23T10:11:03"


async def test_a_message_that_its_sender_repeats_is_recorded_once(broker: BrokerProcess, tmp_path: Path) -> None:
    async with recording(tmp_path / "data") as recorder, opened(broker.url) as driver:
        await publish(broker.url, sensor(1), sensor(1), sensor(2))
        await record(driver, recorder, 3)
    assert len(recorded(tmp_path / "data")) == 2


async def test_a_broker_that_restarts_keeps_what_was_not_acknowledged(broker: BrokerProcess, tmp_path: Path) -> None:
    async with recording(tmp_path / "data") as recorder, opened(broker.url) as driver:
        await publish(broker.url, sensor(1), sensor(2))
        await record(driver, recorder, 2, answers=False)
        broker.persist()
        broker.kill()
        with pytest.raises(DeviceError, match=str(broker.url)):
            await take(driver, 1)
        broker.start()
        await driver.open()
        await publish(broker.url, sensor(3))
        await record(driver, recorder, 3)
    times = [event.data["meter_time"] for event in recorded(tmp_path / "data")]
    assert times == [f"2026-11-23T10:11:0{second}" for second in (1, 2, 3)]


async def test_a_reading_without_time_that_was_not_acknowledged_by_quality_of_service_has_no_identity(
    broker: BrokerProcess,
) -> None:
    async with opened(broker.url) as driver:
        await publish(broker.url, ("tele/p/SENSOR", b'{"ENERGY":{"Total":1}}'), qos=0)
        (reading,) = await take(driver, 1)
        assert reading.id is None
        await driver.answer(reading, Recorded())


async def test_making_a_driver_touches_nothing_and_closing_twice_is_no_error(broker: BrokerProcess) -> None:
    before = open_files()
    driver = MqttMeter("meters-1", settings(broker.url))
    assert open_files() == before
    assert driver.counters == WireCounters()
    await driver.close()
    await driver.close()


async def test_cancelling_the_reader_leaves_a_driver_that_closes_and_opens(broker: BrokerProcess) -> None:
    async with opened(broker.url) as driver:
        task = asyncio.create_task(take(driver, 1))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await driver.open()
        await publish(broker.url, sensor(1))
        assert await take(driver, 1)


FIELD = {"path": "a", "obis": "1-0:1.8.0", "unit": "kWh"}


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"format": "json"}, "needs a topic"),
        ({"format": "json", "topic": "t"}, "needs a topic"),
        ({"format": "json", "field": [FIELD]}, "needs a topic"),
        ({"field": [FIELD]}, 'for format = "json"'),
        ({"time_path": "t"}, 'for format = "json"'),
        ({"format": "json", "topic": "t", "field": [{**FIELD, "obis": "1.8.0"}]}, "OBIS"),
        ({"topic": "a/#/b"}, "topic: is"),
        ({"format": "knx"}, "one of: tasmota, shelly, zigbee2mqtt, json"),
        ({"registers": ["all"]}, "registers[0]: is 'all'"),
        ({"password_file": "p"}, "needs a username"),
    ],
)
def test_settings_that_contradict_each_other_are_told(table: dict[str, Any], why: str) -> None:
    problems = Problems()
    assert read_settings(MqttMeterSettings, {"url": "mqtt://h", **table}, problems) is None
    assert why in "\n".join(problems)
