from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import DeviceError, Origin, PassingOver, Recorded, WireCounters, WireRole
from devices.parking import chirpstack
from devices.parking.chirpstack import ChirpStack, ChirpStackSettings, FrameCounters
from devices.parking.chirpstack_uplink import Uplink
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.parking.uplinks import DEV_EUI, TOPIC, uplink
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


def settings(url: BrokerUrl, **table: Any) -> ChirpStackSettings:
    problems = Problems()
    found = read_settings(ChirpStackSettings, {"url": str(url), **table}, problems)
    assert found is not None, problems
    return found


@contextlib.asynccontextmanager
async def opened(url: BrokerUrl, **table: Any) -> AsyncIterator[ChirpStack]:
    driver = ChirpStack("car-park-1", settings(url, **table))
    await driver.open()
    try:
        yield driver
    finally:
        await driver.close()


def frame(fcnt: int, payload: bytes = b"\x01\x15", **changes: Any) -> bytes:
    return uplink(payload, **{"fCnt": fcnt, "deduplicationId": f"3ac7e3c4-4401-4b8d-9386-{fcnt:012x}", **changes})


async def test_an_uplink_becomes_the_state_of_its_bay(broker: BrokerProcess) -> None:
    async with opened(broker.url, bays={DEV_EUI.upper(): "A-17"}) as driver:
        assert driver.wire_role is WireRole.LISTEN_ONLY
        await publish(broker.url, (TOPIC, uplink(b"\x01\x15")))
        (reading,) = await take(driver, 1)
    assert reading.type == "parking.state"
    assert reading.data == {
        "bay": "A-17",
        "occupied": True,
        "cause": "change",
        "temperature_mdeg_c": 21_000,
        "fcnt": 4,
        "device_time": "2022-07-18T09:34:15.775023242+00:00",
    }
    assert reading.id == f"{DEV_EUI}/3ac7e3c4-4401-4b8d-9386-a5c902f9202d"
    assert reading.origin is Origin.UNPROTECTED
    assert_plain(reading.data)
    assert event_type("parking.state").check(reading.data)


async def test_a_sensor_whose_bay_is_not_named_is_told_by_its_dev_eui(broker: BrokerProcess) -> None:
    async with opened(broker.url) as driver:
        await publish(broker.url, (TOPIC, uplink(b"\x00")))
        (reading,) = await take(driver, 1)
    assert (reading.data["bay"], reading.data["occupied"]) == (DEV_EUI, False)


async def test_other_events_and_other_uplinks_are_passed_over_without_error(broker: BrokerProcess) -> None:
    others = [
        (TOPIC.replace("/up", "/join"), b'{"devAddr":"00189440"}'),
        (TOPIC.replace("/up", "/ack"), b"garbage"),
        (TOPIC, frame(1, b"\x01\x09\x04", fPort=4)),
        (TOPIC, frame(2, b"", fPort=None)),
    ]
    async with opened(broker.url, topic="application/#") as driver:
        await publish(broker.url, *others, (TOPIC, frame(3)))
        (reading,) = await take(driver, 1)
        assert reading.data["fcnt"] == 3
        assert driver.counters == WireCounters(readings=1)


async def test_garbage_is_counted_acknowledged_and_does_not_stop_what_is_good(broker: BrokerProcess) -> None:
    noise = [b"", bytes(range(256)), uplink(b""), uplink(b"\x01")[:-9], uplink(b"\x01", data="?"), b"x" * 70_000]
    async with opened(broker.url) as driver:
        await publish(broker.url, *((TOPIC, payload) for payload in noise), (TOPIC, frame(1)))
        (reading,) = await take(driver, 1)
        assert driver.counters.errors == len(noise)
        assert driver.counters.bytes_dropped == sum(map(len, noise))
        await driver.answer(reading, Recorded())
    async with opened(broker.url) as driver:
        await publish(broker.url, (TOPIC, frame(2)))
        assert (await take(driver, 1))[0].data["fcnt"] == 2


async def test_a_further_sensor_is_read_by_a_table(broker: BrokerProcess) -> None:
    rows = [
        {"fport": 85, "field": "occupied", "offset": 3, "mask": 1, "cause": "change"},
        {"fport": 85, "field": "battery_percent", "offset": 2},
    ]
    async with opened(broker.url, decoder="table", decode=rows) as driver:
        await publish(broker.url, (TOPIC, frame(1, b"\x01\x75\x5c\x01", fPort=85)))
        (reading,) = await take(driver, 1)
    assert {key: reading.data[key] for key in ("occupied", "battery_percent", "cause")} == {
        "occupied": True,
        "battery_percent": 92,
        "cause": "change",
    }


async def test_an_uplink_that_chirpstack_sends_again_is_recorded_once(broker: BrokerProcess, tmp_path: Path) -> None:
    async with recording(tmp_path / "data") as recorder, opened(broker.url) as driver:
        await publish(broker.url, (TOPIC, frame(1)), (TOPIC, frame(1)), (TOPIC, frame(2)))
        await record(driver, recorder, 3)
        assert driver.counters.errors == 0
    assert [event.data["fcnt"] for event in recorded(tmp_path / "data")] == [1, 2]


async def test_a_gateway_that_dies_before_or_after_the_commit_neither_loses_nor_doubles(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    async with recording(tmp_path / "data") as recorder:
        async with opened(broker.url) as driver:
            await publish(broker.url, *((TOPIC, frame(fcnt)) for fcnt in range(5)))
            await take(driver, 5)  # read, and nothing recorded
        async with opened(broker.url) as driver:
            await record(driver, recorder, 5, answers=False)  # recorded, and the broker not told
        await publish(broker.url, (TOPIC, frame(5)))
        async with opened(broker.url) as driver:
            await record(driver, recorder, 6)
            assert driver.counters.errors == 0
    assert [event.data["fcnt"] for event in recorded(tmp_path / "data")] == list(range(6))


async def test_uplinks_that_the_broker_delivers_again_are_not_taken_for_a_frame_counter_that_goes_back(
    broker: BrokerProcess,
) -> None:
    async with opened(broker.url) as driver:
        await publish(broker.url, (TOPIC, frame(1)), (TOPIC, frame(2)))
        await take(driver, 2)
        await driver.open()
        assert [reading.data["fcnt"] for reading in await take(driver, 2)] == [1, 2]
        assert driver.counters.errors == 0


async def test_an_uplink_that_is_not_worth_recording_does_not_come_again_either(broker: BrokerProcess) -> None:
    async with opened(broker.url) as driver:
        assert isinstance(driver, PassingOver)
        await publish(broker.url, (TOPIC, frame(1)))
        (reading,) = await take(driver, 1)
        await driver.pass_over(reading)
    async with opened(broker.url) as driver:
        await publish(broker.url, (TOPIC, frame(2)))
        assert (await take(driver, 1))[0].data["fcnt"] == 2


async def test_a_broker_that_is_killed_is_a_device_error_that_names_it(broker: BrokerProcess) -> None:
    async with opened(broker.url) as driver:
        broker.kill()
        with pytest.raises(DeviceError, match=str(broker.url)):
            await take(driver, 1)
        with pytest.raises(DeviceError, match="cannot be reached"):
            await driver.open()
        broker.start()
        await driver.open()
        await publish(broker.url, (TOPIC, frame(1)))
        assert await take(driver, 1)


async def test_a_frame_counter_that_goes_back_is_counted_and_the_state_is_told_all_the_same(
    broker: BrokerProcess,
) -> None:
    async with opened(broker.url) as driver:
        repeated = frame(9, deduplicationId="00000000-0000-0000-0000-000000000000")
        await publish(broker.url, *((TOPIC, event) for event in (frame(9), repeated, frame(3), frame(4))))
        readings = await take(driver, 4)
        assert [reading.data["fcnt"] for reading in readings] == [9, 9, 3, 4]
        assert driver.counters.errors == 2
        assert f"sensor {DEV_EUI}: its frame counter goes back from 9 to 3" in driver.counters.last_error


def heard(fcnt: int, session: str = "a", dev_eui: str = DEV_EUI) -> Uplink:
    return Uplink(dev_eui, session, fcnt, 1, b"", None, None)


def test_a_frame_counter_may_begin_anew_after_a_join() -> None:
    counters = FrameCounters()
    assert counters.follow(heard(70)) is None
    assert counters.follow(heard(0, session="b")) is None
    assert "repeats 0" in str(counters.follow(heard(0, session="b")))


def test_frame_counters_of_no_more_than_4096_sensors_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chirpstack, "SENSORS_MAX", 2)
    counters = FrameCounters()
    for dev_eui in ("1", "2", "1", "3"):
        counters.follow(heard(7, session=dev_eui, dev_eui=dev_eui))
    assert counters.follow(heard(1, session="1", dev_eui="1")) is not None
    assert counters.follow(heard(1, session="2", dev_eui="2")) is None


async def test_making_a_driver_touches_nothing_and_closing_twice_is_no_error(broker: BrokerProcess) -> None:
    before = open_files()
    driver = ChirpStack("car-park-1", settings(broker.url))
    assert open_files() == before
    assert driver.counters == WireCounters()
    await driver.close()
    await driver.close()


OCCUPIED = {"fport": 1, "field": "occupied", "offset": 0}


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"decoder": "table"}, "needs [[device.decode]]"),
        ({"decode": [OCCUPIED]}, 'for decoder = "table"'),
        ({"decoder": "table", "decode": [{**OCCUPIED, "field": "battery_mv"}]}, "no row for occupied"),
        ({"decoder": "other"}, "one of: bosch-parking, table"),
        ({"bays": {"xyz": "A-1"}}, "16 hexadecimal digits"),
        ({"bays": {DEV_EUI: ""}}, "1 to 64 characters"),
        ({"bays": []}, "must be a table"),
        ({"topic": "a#"}, "topic: is"),
        ({"password_file": "p"}, "needs a username"),
    ],
)
def test_settings_that_cannot_be_used_are_told(table: dict[str, Any], why: str) -> None:
    problems = Problems()
    assert read_settings(ChirpStackSettings, {"url": "mqtt://h", **table}, problems) is None
    assert why in "\n".join(problems)
