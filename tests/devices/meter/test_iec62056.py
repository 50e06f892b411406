from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import termios
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.contract.suite import DriverContract
from devices.driver import DeviceError, Driver, Origin
from devices.meter import iec62056
from devices.meter.iec62056 import Iec62056, Iec62056Settings
from devices.sim.device import Placement, Truth
from devices.sim.faults import FaultRates
from devices.sim.meter.iec62056 import Iec62056Meter
from edge.device import supervisor
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from devices.driver import Reading
    from devices.sim.pty import PseudoTerminal

IDENTIFICATION = b"/WSD5TEST\r\n"
BODY = b"0.0.0(12345678)\r\n1.8.0(0001234.567*kWh)\r\n!\r\n\x03"


def checked(body: bytes) -> bytes:
    check = 0
    for byte in body:
        check ^= byte
    return b"\x02" + body + bytes((check,))


READOUT = checked(BODY)


class FakeMeter:
    """A meter by hand: what it answers to the sign-on and to the acknowledgement."""

    def __init__(self) -> None:
        self.identification = b""
        self.readout = b""
        self.heard: list[bytes] = []

    async def serve(self, terminal: PseudoTerminal) -> None:
        buffer = b""
        while True:
            buffer += await terminal.receive()
            while b"\r\n" in buffer:
                line, _, buffer = buffer.partition(b"\r\n")
                self.heard.append(line)
                terminal.write(self.identification if line.startswith(b"/?") else self.readout)


@pytest.fixture
async def meter(terminal: PseudoTerminal) -> AsyncIterator[FakeMeter]:
    meter = FakeMeter()
    serving = asyncio.create_task(meter.serve(terminal))
    yield meter
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def driver_at(port: str, **settings: Any) -> Iec62056:
    # A fast sign-on saves each test the 0.2 s that an acknowledgement takes at 300 bit/s.
    return Iec62056("meter-1", Iec62056Settings(port=port, **{"baudrate": 9600, "poll_s": 1.0, **settings}))


class TestContract(DriverContract):
    @pytest.fixture(autouse=True)
    def _asked(self, meter: FakeMeter) -> None:
        self.meter = meter

    def make(self, port: str) -> Driver:
        return driver_at(port)

    def frame(self) -> bytes:
        return READOUT

    def speak(self, terminal: PseudoTerminal, data: bytes) -> None:  # noqa: ARG002 - the meter has it
        self.meter.identification, self.meter.readout = IDENTIFICATION, data


async def test_a_meter_of_mode_c_is_asked_for_its_readout_at_the_speed_it_proposes(
    terminal: PseudoTerminal, meter: FakeMeter
) -> None:
    meter.identification, meter.readout = IDENTIFICATION, READOUT
    driver = driver_at(terminal.path, baudrate=300, address="12345678")
    await driver.open()
    (reading,) = await take(driver, 1)
    file = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY)
    assert termios.tcgetattr(file)[4] == termios.B9600
    os.close(file)
    await driver.close()
    assert meter.heard == [b"/?12345678!", b"\x06050"]
    assert event_type("meter.reading").check(reading.data) == reading.data
    assert reading.data["meter_id"] == "12345678"
    assert reading.data["integrity"] == "crc"
    assert reading.origin is Origin.CHECKSUM


async def test_a_speed_over_the_highest_allowed_is_answered_with_300(
    terminal: PseudoTerminal, meter: FakeMeter
) -> None:
    meter.identification, meter.readout = IDENTIFICATION, READOUT
    driver = driver_at(terminal.path, baudrate_max=4800)
    await driver.open()
    await take(driver, 1)
    await driver.close()
    assert meter.heard[1] == b"\x06000"


async def test_one_damaged_readout_is_a_counted_error_and_the_next_is_read(
    terminal: PseudoTerminal, meter: FakeMeter
) -> None:
    meter.identification, meter.readout = IDENTIFICATION, READOUT.replace(b"1234.567", b"1234.568")
    driver = driver_at(terminal.path)
    await driver.open()
    reading = asyncio.create_task(take(driver, 1))
    await until(lambda: driver.counters.errors)
    meter.readout = READOUT
    assert str((await reading)[0].data["registers"][0]["value"]) == "1234.567"
    assert driver.counters.errors == 1
    assert "block check" in driver.counters.last_error
    await driver.close()


async def test_a_meter_that_does_not_answer_is_a_device_error_after_three_readouts(
    terminal: PseudoTerminal, meter: FakeMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iec62056, "AGAIN_S", 0.0)
    monkeypatch.setattr(iec62056, "IDENTIFICATION_DEADLINE_S", 0.05)
    driver = driver_at(terminal.path)
    await driver.open()
    with pytest.raises(DeviceError, match=rf"{terminal.path}: 3 readouts .* no identification; check the head"):
        await take(driver, 1)
    assert driver.counters.errors == 3
    assert meter.heard == [b"/?!"] * 3
    await driver.close()


def test_a_meter_that_stays_away_is_not_online_whenever_its_port_is_opened_again() -> None:
    assert iec62056.IDENTIFICATION_DEADLINE_S < supervisor.HELD_S


async def test_after_three_failed_readouts_each_further_one_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, meter: FakeMeter, terminal: PseudoTerminal
) -> None:
    monkeypatch.setattr(iec62056, "IDENTIFICATION_DEADLINE_S", 0.05)
    monkeypatch.setattr(iec62056, "AGAIN_S", 0.01)
    driver = driver_at(terminal.path)
    for failed in (3, 4, 5):
        await driver.open()
        with pytest.raises(DeviceError, match=f"{failed} readouts failed in a row"):
            await take(driver, 1)
        await driver.close()
    assert len(meter.heard) == 5


async def test_a_meter_that_falls_silent_in_a_readout_is_not_waited_for(
    terminal: PseudoTerminal, meter: FakeMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iec62056, "SILENCE_DEADLINE_S", 0.05)
    meter.identification, meter.readout = IDENTIFICATION, READOUT[:-4]
    driver = driver_at(terminal.path)
    await driver.open()
    reading = asyncio.create_task(take(driver, 1))
    await until(lambda: driver.counters.errors)
    assert "fell silent" in driver.counters.last_error
    meter.readout = READOUT
    assert await reading
    await driver.close()


def test_settings_out_of_range_are_refused() -> None:
    problems = Problems()
    assert read_settings(Iec62056Settings, {"port": "x", "address": "a!b", "baudrate": 110}, problems) is None
    assert len(problems) == 2


def as_text(reading: Reading) -> dict[str, Any]:
    return {**reading.data, "registers": [{**row, "value": str(row["value"])} for row in reading.data["registers"]]}


@contextlib.asynccontextmanager
async def simulated(folder: Path, faults: FaultRates, **options: Any) -> AsyncIterator[tuple[Iec62056, io.StringIO]]:
    file = io.StringIO()
    meter = Iec62056Meter(Placement("meter-1", 7, folder, 1.0, faults=faults, options=options), Truth(file))
    await meter.start()
    running = asyncio.create_task(meter.run())
    settings = {key: one for key, one in meter.settings().items() if key != "driver"}
    yield driver_at(**settings), file
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("options", [{}, {"mode": "A"}, {"mode": "B"}, {"short_codes": True}, {"address": "77"}])
async def test_the_driver_records_the_simulated_meters_truth(tmp_path: Path, options: dict[str, Any]) -> None:
    async with simulated(tmp_path, FaultRates(), **options) as (driver, file):
        await driver.open()
        readings = await take(driver, 2)
        await driver.close()
    told = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [as_text(reading) for reading in readings] == [row["data"] for row in told]
    assert all(row["sure"] for row in told)


async def test_on_a_bad_wire_all_that_is_sure_is_recorded_once_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iec62056, "AGAIN_S", 0.02)
    monkeypatch.setattr(iec62056, "SILENCE_DEADLINE_S", 0.3)
    monkeypatch.setattr(iec62056, "FAILED_READOUTS_MAX", 100)
    recorded: list[dict[str, Any]] = []
    faults = FaultRates(noise=0.4, flip=0.3, truncate=0.2, unplug=0.2)
    async with simulated(tmp_path, faults) as (driver, file), asyncio.timeout(30):
        while len(recorded) < 6:
            with contextlib.suppress(DeviceError):
                await driver.open()
                async with contextlib.aclosing(driver.readings()) as readings:  # type: ignore[type-var]
                    async for reading in readings:
                        recorded.append(as_text(reading))
                        if len(recorded) == 6:
                            break
                        # Each reading is asked for anew: no test waits for `poll_s`.
                        raise DeviceError
            await asyncio.sleep(0.02)
        await driver.close()
    told = [json.loads(line) for line in file.getvalue().splitlines()]
    places = [[row["data"] for row in told].index(one) for one in recorded]
    assert places == sorted(set(places))
    assert [row for row in told if row["sure"] and row["data"] not in recorded] == []
