from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.contract.suite import DriverContract
from devices.driver import DeviceError, Driver, Origin, WireRole
from devices.meter.modbus import Modbus, ModbusSettings
from devices.meter.modbus_frame import RegisterRead, rtu_request, with_crc
from devices.wire import bus
from ledger_sync.proof.event_types import event_type
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from devices.sim.pty import PseudoTerminal

SERIAL, DEFAULT = RegisterRead(3, 0xFC00, 2), RegisterRead(4, 0x34, 24)


def answer(unit: int, read: RegisterRead, data: bytes) -> bytes:
    return with_crc(bytes((unit, read.function, len(data))) + data)


def sdm630(power: float = 230.5, imported: float = 1234.5, exported: float = 7.25) -> bytes:
    return struct.pack(">f36x2f", power, imported, exported)


def exchange(unit: int = 1, data: bytes = b"") -> bytes:
    return rtu_request(unit, DEFAULT) + answer(unit, DEFAULT, data or sdm630())


def driver_at(port: str, **settings: Any) -> Modbus:
    return Modbus(
        "meter-1", ModbusSettings(port=port, **{"model": "sdm630", "poll_s": 0.1, "timeout_s": 0.1, **settings})
    )


def values(reading: Any) -> dict[str, str]:
    return {row["obis"]: str(row["value"]) for row in reading.data["registers"]}


@pytest.fixture
async def meters(terminal: PseudoTerminal) -> AsyncIterator[tuple[dict[bytes, list[bytes]], list[bytes]]]:
    """What is answered to which request (the last answer for ever), and the requests heard so far."""
    answers: dict[bytes, list[bytes]] = {}
    heard: list[bytes] = []

    async def serve() -> None:
        buffer = b""
        while True:
            buffer += await terminal.receive()
            while len(buffer) >= 8:
                request, buffer = buffer[:8], buffer[8:]
                heard.append(request)
                prepared = answers.get(request, [b""])
                terminal.write(prepared.pop(0) if len(prepared) > 1 else prepared[0])

    serving = asyncio.create_task(serve())
    yield answers, heard
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


Meters = tuple[dict[bytes, list[bytes]], list[bytes]]


def let_answer(meters: Meters, unit: int, *defaults: bytes) -> None:
    meters[0][rtu_request(unit, SERIAL)] = [answer(unit, SERIAL, (20_000_000 + unit).to_bytes(4, "big"))]
    meters[0][rtu_request(unit, DEFAULT)] = list(defaults) or [answer(unit, DEFAULT, sdm630())]


class TestListening(DriverContract):
    def make(self, port: str) -> Driver:
        return driver_at(port, listen=True, meter_id="12345678")

    def frame(self) -> bytes:
        return exchange()


class TestPolling(DriverContract):
    @pytest.fixture(autouse=True)
    def _answered(self, meters: Meters) -> None:
        self.meters = meters

    def make(self, port: str) -> Driver:
        return driver_at(port, timeout_s=5.0)

    def frame(self) -> bytes:
        return answer(1, DEFAULT, sdm630())

    def speak(self, terminal: PseudoTerminal, data: bytes) -> None:  # noqa: ARG002 - the meters have it
        let_answer(self.meters, 1, data)


async def test_noise_before_an_answer_is_counted_and_the_answer_read(terminal: PseudoTerminal, meters: Meters) -> None:
    let_answer(meters, 1, bytes(range(256)) * 4 + answer(1, DEFAULT, sdm630()))
    driver = driver_at(terminal.path)
    await driver.open()
    assert await take(driver, 1)
    assert (driver.counters.errors, driver.counters.resyncs, driver.counters.bytes_dropped) == (0, 1, 1024)
    await driver.close()


async def test_a_reading_has_the_meters_serial_number_and_exact_values(
    terminal: PseudoTerminal, meters: Meters
) -> None:
    let_answer(meters, 3)
    driver = driver_at(terminal.path, unit=3)
    await driver.open()
    first, second = await take(driver, 2)
    await driver.close()
    assert first.data == {
        "meter_id": "20000003",
        "meter_time": None,
        "integrity": "crc",
        "registers": [
            {"obis": "1-0:16.7.0", "value": Decimal("230.5"), "unit": "W"},
            {"obis": "1-0:1.8.0", "value": Decimal("1234.5"), "unit": "kWh"},
            {"obis": "1-0:2.8.0", "value": Decimal("7.25"), "unit": "kWh"},
        ],
    }
    assert first.origin is Origin.CHECKSUM
    assert event_type("meter.reading").check(first.data) == first.data
    assert second.data == first.data
    # The serial number is asked for once, and every request is a read.
    assert meters[1][:3] == [rtu_request(3, SERIAL), rtu_request(3, DEFAULT), rtu_request(3, DEFAULT)]


async def test_one_bad_answer_is_a_counted_error_and_the_next_poll_goes_on(
    terminal: PseudoTerminal, meters: Meters
) -> None:
    good = answer(1, DEFAULT, sdm630())
    let_answer(meters, 1, good, good[:-1] + bytes((good[-1] ^ 1,)), good, b"", good)
    driver = driver_at(terminal.path)
    await driver.open()
    assert len(await take(driver, 3)) == 3
    assert driver.counters.errors == 2
    assert "no answer within 0.1 s" in driver.counters.last_error
    await driver.close()


async def test_after_a_failure_the_meter_is_asked_again_who_it_is(terminal: PseudoTerminal, meters: Meters) -> None:
    good = answer(1, DEFAULT, sdm630())
    let_answer(meters, 1, good, b"", good)
    meters[0][rtu_request(1, SERIAL)] = [answer(1, SERIAL, bytes((0, 0, 1, one))) for one in (1, 2)]
    driver = driver_at(terminal.path)
    await driver.open()
    assert [reading.data["meter_id"] for reading in await take(driver, 2)] == ["257", "258"]
    await driver.close()


async def test_three_failed_polls_in_a_row_are_a_device_error_with_place_and_mend(
    terminal: PseudoTerminal, meters: Meters
) -> None:
    driver = driver_at(terminal.path, unit=9, meter_id="x", parity="E")
    await driver.open()
    with pytest.raises(DeviceError, match=rf"{terminal.path}, unit 9: 3 polls .* no answer within 0.1 s; check `unit`"):
        await take(driver, 1)
    await driver.close()
    await driver.open()
    with pytest.raises(DeviceError, match="4 polls"):
        await take(driver, 1)
    assert len(meters[1]) == 4
    await driver.close()


async def test_a_refused_register_is_named_with_the_mend(terminal: PseudoTerminal, meters: Meters) -> None:
    let_answer(meters, 1, with_crc(bytes.fromhex("018402")))
    driver = driver_at(terminal.path)
    await driver.open()
    with pytest.raises(DeviceError, match=r"0x0034 to 0x004B with function 4: .*illegal data address.*check `model`"):
        await take(driver, 1)
    await driver.close()


async def test_nan_and_what_cannot_be_signed_are_counted_and_left_out(terminal: PseudoTerminal, meters: Meters) -> None:
    let_answer(meters, 1, answer(1, DEFAULT, sdm630(float("nan"), 5.5, 1e-30)))
    driver = driver_at(terminal.path)
    await driver.open()
    (reading,) = await take(driver, 1)
    assert values(reading) == {"1-0:1.8.0": "5.5"}
    assert driver.counters.errors == 2
    await driver.close()


async def test_a_late_answer_is_not_taken_for_that_to_the_next_request(
    terminal: PseudoTerminal, meters: Meters
) -> None:
    # Three requests of the same length: only the address, which no answer repeats, tells them apart.
    power, imported, exported = (RegisterRead(4, address, 2) for address in (0x28, 0x34, 0x4E))
    late, right = answer(1, imported, bytes.fromhex("0002 0000")), answer(1, power, bytes.fromhex("0001 0000"))
    meters[0].update(
        {
            rtu_request(1, power): [right, b""],
            rtu_request(1, imported): [b"", late],
            rtu_request(1, exported): [answer(1, exported, bytes.fromhex("0003 0000"))],
        }
    )
    driver = driver_at(terminal.path, model="em340", meter_id="x", timeout_s=0.2)
    await driver.open()

    async def answer_late() -> None:
        await until(lambda: driver.counters.errors)
        await asyncio.sleep(0.05)
        terminal.write(late)
        meters[0][rtu_request(1, power)] = [right]

    task = asyncio.create_task(answer_late())
    (reading,) = await take(driver, 1)
    await task
    assert values(reading) == {"1-0:16.7.0": "0.1", "1-0:1.8.0": "0.2", "1-0:2.8.0": "0.3"}
    assert driver.counters.bytes_dropped == len(late)
    await driver.close()


async def test_meters_on_one_bus_share_the_port_and_a_silent_one_costs_the_others_its_timeout(
    terminal: PseudoTerminal, meters: Meters
) -> None:
    for unit in (1, 2, 3):
        let_answer(meters, unit)
    drivers = [driver_at(terminal.path, unit=unit, timeout_s=0.2) for unit in (1, 2, 3, 4)]
    for driver in drivers:
        await driver.open()
    silent = asyncio.create_task(take(drivers[3], 1))
    started = time.monotonic()
    taken = await asyncio.gather(*(take(driver, 10) for driver in drivers[:3]))
    assert [one[0].data["meter_id"] for one in taken] == ["20000001", "20000002", "20000003"]
    # Ten polls of 0.1 s, and 0.2 s for each time that the silent one was asked meanwhile.
    assert time.monotonic() - started < 10 * 0.1 + 3 * 0.2 + 0.5
    with pytest.raises(DeviceError, match="unit 4"):
        await silent
    await drivers[3].close()
    assert await take(drivers[0], 1)
    for driver in drivers:
        await driver.close()


async def test_between_an_answer_and_the_next_request_the_line_is_silent_for_three_and_a_half_characters(
    terminal: PseudoTerminal, meters: Meters
) -> None:
    let_answer(meters, 1)
    driver = driver_at(terminal.path, baudrate=1200)
    await driver.open()
    started = time.monotonic()
    await take(driver, 1)
    assert len(meters[1]) == 2
    assert time.monotonic() - started >= 3.5 * 11 / 1200
    await driver.close()


async def test_there_is_one_request_on_the_bus_at_a_time(terminal: PseudoTerminal, meters: Meters) -> None:
    let_answer(meters, 2)
    silent, other = (driver_at(terminal.path, unit=unit, meter_id="x", timeout_s=0.3) for unit in (1, 2))
    await silent.open()
    await other.open()
    waiting = asyncio.create_task(take(silent, 1))
    await until(lambda: meters[1])
    reading = asyncio.create_task(take(other, 1))
    await asyncio.sleep(0.1)
    assert meters[1] == [rtu_request(1, DEFAULT)]
    assert await reading
    waiting.cancel()
    await asyncio.wait({waiting})
    await silent.close()
    await other.close()


async def test_a_lost_port_is_told_to_all_meters_on_it_at_once_and_opens_again(
    terminal: PseudoTerminal, meters: Meters
) -> None:
    drivers = [driver_at(terminal.path, unit=unit, meter_id="x", poll_s=60.0) for unit in (1, 2)]
    for unit, driver in enumerate(drivers, 1):
        let_answer(meters, unit)
        await driver.open()
    waiting = [asyncio.create_task(take(driver, 2)) for driver in drivers]
    await until(lambda: all(driver.counters.readings for driver in drivers))
    terminal.unplug()
    for task in waiting:
        with pytest.raises(DeviceError, match=rf"{terminal.path}.*unplugged"):
            await task
    terminal.replug()
    for driver in drivers:
        await driver.open()
        assert await take(driver, 1)
    for driver in drivers:
        await driver.close()
    assert terminal.path not in bus._buses


async def test_one_port_with_two_kinds_of_settings_is_refused(terminal: PseudoTerminal) -> None:
    driver, other = driver_at(terminal.path), driver_at(terminal.path, unit=2, baudrate=19200)
    await driver.open()
    with pytest.raises(DeviceError, match="give both the same `baudrate`"):
        await other.open()
    await driver.close()
    await other.open()
    await other.close()


async def test_listening_sends_nothing_and_gives_a_reading_a_poll_of_the_master(terminal: PseudoTerminal) -> None:
    driver = driver_at(terminal.path, listen=True, meter_id="12345678")
    assert driver.wire_role is WireRole.LISTEN_ONLY
    assert Modbus.wire_role is WireRole.SOLE_MASTER
    await driver.open()
    halves = [
        rtu_request(1, read) + answer(1, read, data)
        for read, data in (
            (RegisterRead(4, 0x34, 2), struct.pack(">f", 230.5)),
            (RegisterRead(4, 0x48, 4), struct.pack(">2f", 1234.5, 7.25)),
        )
    ]
    first, second = await take(
        driver, 2, during=lambda: terminal.write(halves[0] + exchange(2) + halves[1] + exchange(1, sdm630(1.5)))
    )
    assert values(first) == {"1-0:16.7.0": "230.5", "1-0:1.8.0": "1234.5", "1-0:2.8.0": "7.25"}
    assert values(second)["1-0:16.7.0"] == "1.5"
    assert first.data["meter_id"] == "12345678"
    assert terminal.read() == b""
    await driver.close()


async def test_what_is_overheard_while_nobody_records_is_bounded(terminal: PseudoTerminal) -> None:
    driver = driver_at(terminal.path, listen=True, meter_id="x")
    await driver.open()
    for _ in range(30):
        terminal.write(exchange())
    await until(lambda: driver.counters.errors == 14)
    assert "oldest was dropped" in driver.counters.last_error
    await driver.close()


async def test_a_table_of_ones_own_is_used_and_its_mistakes_name_the_file(
    terminal: PseudoTerminal, meters: Meters, tmp_path: Path
) -> None:
    table = tmp_path / "mine.toml"
    read = RegisterRead(3, 100, 2)
    meters[0][rtu_request(1, read)] = [answer(1, read, bytes.fromhex("00003039"))]
    row = 'obis = "7-0:3.0.0", address = 100, type = "uint32", scale = "0.01", unit = "m3", function = 3'
    table.write_text(f'source = "mine"\nregister = [{{ {row} }}]\n')
    settings: dict[str, Any] = {"model": None, "table": table, "registers": ("x.x.x",)}
    driver = driver_at(terminal.path, **settings)
    with pytest.raises(DeviceError, match="set `meter_id`"):
        await driver.open()
    driver = driver_at(terminal.path, **settings, meter_id="gas-1")
    await driver.open()
    (reading,) = await take(driver, 1)
    assert values(reading) == {"7-0:3.0.0": "123.45"}
    await driver.close()
    with pytest.raises(DeviceError, match="names none"):
        await driver_at(terminal.path, **{**settings, "registers": ("9.9.9",)}).open()
    table.write_text("source = 5\n")
    with pytest.raises(DeviceError, match=rf"{table}: source: .*register: is missing"):
        await driver.open()
