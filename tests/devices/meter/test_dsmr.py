from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import send, take
from devices.driver import Origin, WireCounters
from devices.meter.crc16 import crc16_arc
from devices.meter.dsmr import Dsmr, DsmrSettings, meters_in
from devices.meter.dsmr_telegram import TelegramParser
from devices.meter.registers import DEFAULT_PATTERNS, RegisterFilter, meter_readings
from devices.sim.faults import FaultRates, Faults
from devices.sim.meter.dsmr_frame import DsmrFrames
from ledger_sync.proof.event_types import event_type

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.pty import PseudoTerminal

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def readings_of(raw: bytes, counters: WireCounters | None = None, *, crc_required: bool = True) -> list[dict[str, Any]]:
    counters = counters or WireCounters()
    chosen = RegisterFilter(DEFAULT_PATTERNS)
    return [
        dict(reading.data)
        for telegram in TelegramParser(counters, crc_required=crc_required).feed(raw)
        for meter in meters_in(telegram, chosen, counters)
        for reading in meter_readings(meter, chosen, "crc", Origin.CHECKSUM)
    ]


def with_crc(*lines: str) -> bytes:
    body = "\r\n".join(("/ABC5x", "", *lines, "!")).encode()
    return body + b"%04X\r\n" % crc16_arc(body)


def as_text(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "registers": [{**row, "value": str(row["value"])} for row in data["registers"]]}


def test_a_belgian_telegram_gives_a_reading_for_each_of_its_three_meters(corpora: Path) -> None:
    readings = readings_of((corpora / "meters/dsmr/TELEGRAM_FLUVIUS_V171.txt").read_bytes())
    assert [as_text(data) for data in readings] == [
        {
            "meter_id": "3153414733313031303231363035",
            "meter_time": "200512135409S",
            "integrity": "crc",
            "registers": [
                {"obis": "1-0:1.8.1", "value": "0.034", "unit": "kWh"},
                {"obis": "1-0:1.8.2", "value": "15.758", "unit": "kWh"},
                {"obis": "1-0:2.8.1", "value": "0.000", "unit": "kWh"},
                {"obis": "1-0:2.8.2", "value": "0.011", "unit": "kWh"},
            ],
        },
        {
            "meter_id": "37464C4F32313139303333373333",
            "meter_time": "200512134558S",
            "integrity": "crc",
            "registers": [{"obis": "0-1:24.2.3", "value": "112.384", "unit": "m3"}],
        },
        {
            "meter_id": "3853414731323334353637383930",
            "meter_time": "200512134558S",
            "integrity": "crc",
            "registers": [{"obis": "0-2:24.2.1", "value": "872.234", "unit": "m3"}],
        },
    ]


def test_a_channel_without_meter_gives_no_reading(corpora: Path) -> None:
    readings = readings_of((corpora / "meters/dsmr/TELEGRAM_V5_TWO_MBUS.txt").read_bytes())
    assert [data["registers"][0]["obis"] for data in readings] == ["1-0:1.8.1", "0-2:24.2.1"]
    assert readings[1]["meter_id"] == "4730303339303031393336393930363139"
    assert readings[1]["meter_time"] == "200426223001S"


@pytest.mark.parametrize("name", ["FLUVIUS_V171", "V4_2", "V5", "V5_TWO_MBUS"])
def test_readings_of_real_telegrams_are_what_the_event_type_asks_for(corpora: Path, name: str) -> None:
    readings = readings_of((corpora / f"meters/dsmr/TELEGRAM_{name}.txt").read_bytes())
    assert readings
    for data in readings:
        assert event_type("meter.reading").check(data) == data


def test_a_meter_without_identifier_goes_by_the_identification_of_its_telegram() -> None:
    main, gas = readings_of(with_crc("1-0:1.8.0(1.0*kWh)", "0-1:24.2.1(101209112500W)(12.785*m3)"))
    assert (main["meter_id"], main["meter_time"]) == ("ABC5x", None)
    assert (gas["meter_id"], gas["meter_time"]) == ("ABC5x/0-1", "101209112500W")


def test_a_version_line_on_channel_3_of_another_medium_is_no_third_meter() -> None:
    readings = readings_of(
        with_crc("1-3:0.2.8(50)", "0-0:96.1.1(4B38)", "1-0:1.8.0(1.0*kWh)", "0-3:24.2.1(101209112500W)(1.5*m3)")
    )
    assert [data["meter_id"] for data in readings] == ["4B38", "4B38/0-3"]


def test_a_value_that_cannot_be_signed_is_counted_and_left_out() -> None:
    counters = WireCounters()
    (data,) = readings_of(with_crc("1-0:1.8.1(9223372036854775808*kWh)", "1-0:1.8.2(1.0*kWh)"), counters)
    assert [row["obis"] for row in data["registers"]] == ["1-0:1.8.2"]
    assert counters.errors == 1
    assert "1-0:1.8.1" in counters.last_error


def test_a_register_that_is_not_chosen_is_neither_read_nor_counted() -> None:
    counters = WireCounters()
    (data,) = readings_of(with_crc("1-0:32.7.0(9223372036854775808*V)", "1-0:1.8.1(1.0*kWh)"), counters)
    assert [row["obis"] for row in data["registers"]] == ["1-0:1.8.1"]
    assert counters.errors == 0


def test_gas_of_an_old_telegram_over_two_rows_is_read() -> None:
    old = b"/KMP5 KA6U0016\r\n\r\n0-1:96.1.0(3238313031)\r\n0-1:24.3.0(121030140000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n"
    (data,) = readings_of(old + b"(00001.001)\r\n!\r\n", crc_required=False)
    assert data["meter_id"] == "3238313031"
    assert data["meter_time"] == "121030140000"
    assert data["registers"] == [{"obis": "0-1:24.2.1", "value": Decimal("1.001"), "unit": "m3"}]


async def test_the_driver_reads_what_the_simulated_meter_shows(terminal: PseudoTerminal) -> None:
    meter = DsmrFrames(seed=3)
    driver = Dsmr("meter-1", DsmrSettings(port=terminal.path))
    await driver.open()
    truth = []
    for _ in range(5):
        frame, said = meter.frame(NOW)
        readings = await take(driver, len(said), during=partial(terminal.write, frame))
        assert [as_text(dict(reading.data)) for reading in readings] == said
        assert all(reading.origin is Origin.CHECKSUM and reading.id is None for reading in readings)
        truth += said
    assert driver.counters.readings == len(truth)
    assert driver.counters.errors == driver.counters.bytes_dropped == 0
    await driver.close()


async def test_a_telegram_without_crc_is_marked_as_unprotected(terminal: PseudoTerminal) -> None:
    driver = Dsmr("meter-1", DsmrSettings(port=terminal.path, crc_required=False))
    await driver.open()
    old = b"/KMP5 x\r\n\r\n1-0:1.8.1(00001.001*kWh)\r\n!\r\n"
    (reading,) = await take(driver, 1, during=lambda: terminal.write(old))
    assert reading.data["integrity"] == "none"
    assert reading.origin is Origin.UNPROTECTED
    await driver.close()


async def test_on_a_bad_wire_nothing_is_read_but_what_the_meter_said(terminal: PseudoTerminal) -> None:
    meter = DsmrFrames(seed=11)
    faults = Faults(FaultRates(noise=0.3, flip=0.2, truncate=0.2), seed=11)
    driver = Dsmr("meter-1", DsmrSettings(port=terminal.path))
    await driver.open()
    wire, said, sent_whole = [], [], 0
    for _ in range(60):
        frame, truth = meter.frame(NOW)
        damaged, whole = faults.apply(frame)
        wire.append(damaged)
        said += truth
        sent_whole += whole
    last, last_truth = meter.frame(NOW)
    taken: list[dict[str, Any]] = []
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(send(terminal, b"".join(wire) + last))
        async for reading in driver.readings():
            taken.append(as_text(dict(reading.data)))
            if taken[-1] == last_truth[-1]:
                break
    assert all(data in said or data in last_truth for data in taken)
    assert len(taken) >= 2 * sent_whole - 4
    assert driver.counters.errors > 5
    await driver.close()
