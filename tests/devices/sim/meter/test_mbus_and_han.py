"""Simulated M-Bus and HAN meters with faults on, read by their drivers: what they told is what is read."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from devices.contract.feeding import take
from devices.driver import DeviceError
from devices.meter.han import Han, HanSettings
from devices.meter.mbus import MBus, MBusSettings
from devices.sim.device import Placement, Truth
from devices.sim.faults import FaultRates
from devices.sim.kinds import simulated
from devices.sim.meter.han_frame import HanFrames, checksum, date_time, hdlc
from devices.sim.meter.mbus_frame import ACK, MBusSlave, minute_of, packed_digits, requests_in
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from devices.driver import Driver, Reading

NOW = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)
REQUEST, AGAIN, GREETING = b"\x10\x7b\x05\x80\x16", b"\x10\x5b\x05\x60\x16", b"\x10\x40\x05\x45\x16"


def as_text(reading: Reading) -> dict[str, Any]:
    return {**reading.data, "registers": [{**row, "value": str(row["value"])} for row in reading.data["registers"]]}


class Told:
    """A truth that can be read: `readings` of the surest rows, by number."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.truth = Truth(self._file)

    def rows(self) -> dict[int, dict[str, Any]]:
        rows: dict[int, dict[str, Any]] = {}
        for line in self._file.getvalue().splitlines():
            row = json.loads(line)
            rows[row["number"]] = rows.get(row["number"], {}) | row
        return rows


@asynccontextmanager
async def running(
    kind: str, folder: Path, told: Told, interval_s: float, faults: FaultRates | None = None, **options: Any
) -> AsyncIterator[Driver]:
    meter = simulated(kind)(
        Placement("meter-1", 7, folder, interval_s, faults=faults or FaultRates(), options=options), told.truth
    )
    await meter.start()
    task = asyncio.create_task(meter.run())
    own, problems = meter.settings(), Problems()
    driver_class: Any = {"mbus": MBus, "han": Han}[own.pop("driver")]
    settings = read_settings(MBusSettings if driver_class is MBus else HanSettings, own, problems)
    assert settings is not None, problems
    try:
        yield driver_class("meter-1", settings)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def take_through_losses(driver: Driver, count: int) -> list[Reading]:
    taken: list[Reading] = []
    async with asyncio.timeout(30):
        while len(taken) < count:
            try:
                await driver.open()
                async with aclosing(cast("AsyncGenerator[Reading]", driver.readings())) as readings:
                    async for reading in readings:
                        taken.append(reading)
                        if len(taken) == count:
                            break
            except DeviceError:
                await asyncio.sleep(0.02)
            finally:
                await driver.close()
    return taken


@pytest.mark.parametrize("maker", HanFrames.MAKERS)
async def test_a_han_meters_truth_is_what_its_driver_reads(tmp_path: Path, maker: str) -> None:
    told = Told()
    faults = FaultRates(noise=0.3, flip=0.1, truncate=0.1)
    async with running("meter-han", tmp_path, told, 0.01, faults, maker=maker, list_3_every=2) as driver:
        await driver.open()
        readings = await take(driver, 20)
        await driver.close()
    sure = [row["data"] for row in told.rows().values() if row["sure"]]
    read = [as_text(reading) for reading in readings]
    assert read == [row for row in sure if row in read]
    assert sure[: len(read)] == read


@pytest.mark.parametrize("medium", MBusSlave.MEDIA)
async def test_an_mbus_meters_truth_is_what_its_driver_reads(tmp_path: Path, medium: str) -> None:
    told = Told()
    async with running("meter-mbus", tmp_path, told, 0.1, medium=medium, telegrams=2) as driver:
        await driver.open()
        readings = await take(driver, 3)
        await driver.close()
    rows = told.rows()
    assert [as_text(reading) for reading in readings] == [rows[number]["data"] for number in (1, 2, 3)]
    assert all(row["sure"] for row in rows.values())


async def test_an_mbus_meter_with_faults_loses_nothing_that_it_is_sure_of(tmp_path: Path) -> None:
    told = Told()
    faults = FaultRates(noise=0.1, flip=0.05, truncate=0.05, unplug=0.02, slow_s=0.05)
    async with running("meter-mbus", tmp_path, told, 0.1, faults) as driver:
        readings = [as_text(reading) for reading in await take_through_losses(driver, 8)]
    rows = told.rows()
    everything = [rows[number]["data"] for number in sorted(rows)]
    # Nothing is read that was not told, in its order, and all that is surely told is read.
    places = [everything.index(reading) for reading in readings]
    assert places == sorted(set(places))
    sure = [row["data"] for number, row in sorted(rows.items()) if row["sure"] and number <= places[-1] + 1]
    assert [row for row in sure if row not in readings] == []


@pytest.mark.parametrize("maker", HanFrames.MAKERS)
def test_the_truth_of_han_lists_fits_the_event_type(maker: str) -> None:
    frames, same = HanFrames(7, maker), HanFrames(7, maker)
    for _ in range(8):
        frame, truth = frames.frame(NOW)
        assert (frame, truth) == same.frame(NOW)
        assert (frame[0], frame[1] >> 4, frame[-1]) == (0x7E, 0xA, 0x7E)
        assert len(truth) in (0, 1)
        for data in truth:
            event_type("meter.reading").check(data)


def test_the_checksum_of_a_known_frame_is_as_the_meter_sent_it() -> None:
    # The header that Kamstrup's and Kaifa's descriptions print: A0 E2 2B 21 13 / 23 9A, A0 27 01 02 01 10 / 5A 87.
    assert checksum(bytes.fromhex("a0e22b2113")) == bytes.fromhex("239a")
    assert checksum(bytes.fromhex("a02701020110")) == bytes.fromhex("5a87")
    assert hdlc(b"", b"\x2b\x21", 0x13)[-1:] == b"\x7e"
    assert date_time(NOW) == bytes.fromhex("07ea0b17010c2238ff800000")


def test_an_mbus_slave_keeps_the_rules_of_the_link() -> None:
    slave = MBusSlave(7, 5)
    assert slave.answer(b"\x10\x40\x06\x46\x16", NOW) is None
    greeting = slave.answer(GREETING, NOW)
    assert greeting is not None
    assert greeting.frame == ACK
    first, again, next_one = (slave.answer(request, NOW) for request in (REQUEST, REQUEST, AGAIN))
    assert first is not None
    assert again is not None
    assert next_one is not None
    assert (again.frame, again.repeated) == (first.frame, True)
    assert (next_one.repeated, next_one.frame == first.frame) == (False, False)
    assert first.frame[:4] == bytes((0x68, len(first.frame) - 6, len(first.frame) - 6, 0x68))
    assert first.reading is not None
    event_type("meter.reading").check(first.reading)


def test_an_mbus_slave_answers_the_network_address_only_while_it_is_selected() -> None:
    slave = MBusSlave(7, 5)
    request = b"\x10\x7b\xfd\x78\x16"

    def selection(pattern: bytes) -> bytes:
        return b"\x68\x0b\x0b\x68\x53\xfd\x52" + pattern + b"\x00\x16"

    assert slave.answer(request, NOW) is None
    assert slave.answer(selection(slave.secondary_address), NOW) is not None
    assert slave.answer(request, NOW) is not None
    assert slave.answer(selection(bytes(8)), NOW) is None
    assert slave.answer(request, NOW) is None


def test_requests_are_taken_whole_out_of_a_stream() -> None:
    received = bytearray(GREETING + REQUEST[:3])
    assert requests_in(received) == [GREETING]
    received += REQUEST[3:] + b"\x00" + GREETING
    assert requests_in(received) == [REQUEST, GREETING]


def test_numbers_and_times_are_coded_as_the_standard_says() -> None:
    assert packed_digits(12345678, 4) == bytes.fromhex("78563412")
    assert minute_of(datetime(2014, 3, 12, 14, 23, tzinfo=UTC)) == bytes.fromhex("172ecc13")
