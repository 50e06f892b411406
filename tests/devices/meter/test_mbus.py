"""The M-Bus driver against simulated slaves, over a real pseudo-terminal and real TCP."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.contract.suite import DriverContract, assert_plain, open_files
from devices.driver import Addressed, DeviceError, Driver, Origin, WireCounters, WireRole
from devices.meter.mbus import MBus, MBusSettings
from devices.meter.mbus_address import parse_address
from devices.sim.meter.mbus_frame import MBusSlave, long_frame, requests_in
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from devices.driver import Reading
    from devices.sim.pty import PseudoTerminal

NOW = datetime(2026, 11, 23, 12, 34, tzinfo=UTC)


def driver(port: str, address: Any = 5, **more: Any) -> MBus:
    settings = {"poll_s": 0.1, "answer_s": 0.15} | more
    return MBus("meter-1", MBusSettings(port, parse_address(address), **settings))


def as_text(reading: Reading) -> dict[str, Any]:
    registers = [{**row, "value": str(row["value"])} for row in reading.data["registers"]]
    return {**reading.data, "registers": registers}


class Bus:
    """Slaves on one wire; `damage` changes what they send, and `told` holds the readings that they sent."""

    def __init__(self, *slaves: MBusSlave, damage: Callable[[bytes], bytes] = lambda frame: frame) -> None:
        self.slaves, self.damage = slaves, damage
        self.told: list[dict[str, Any]] = []
        self.requests: list[bytes] = []
        self._received = bytearray()

    def answers(self, data: bytes) -> bytes:
        self._received += data
        sent = b""
        for request in requests_in(self._received):
            self.requests.append(request)
            for slave in self.slaves:
                answer = slave.answer(request, NOW)
                if answer is not None:
                    sent += self.damage(answer.frame)
                    if answer.reading is not None and not answer.repeated:
                        self.told.append(answer.reading)
        return sent


@asynccontextmanager
async def on_terminal(bus: Bus, terminal: PseudoTerminal) -> AsyncIterator[None]:
    async def serve() -> None:
        while True:
            terminal.write(bus.answers(await terminal.receive()))

    task = asyncio.create_task(serve())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class TestContract(DriverContract):
    @pytest.fixture(autouse=True)
    async def _answered(self, terminal: PseudoTerminal) -> AsyncIterator[None]:
        self.said = b""
        bus = Bus(MBusSlave(7, 5), damage=lambda frame: frame if self.said and len(frame) == 1 else self.said)
        async with on_terminal(bus, terminal):
            yield

    def make(self, port: str) -> Driver:
        return driver(port)

    def frame(self) -> bytes:
        answer = MBusSlave(7, 5).answer(bytes.fromhex("107b058016"), NOW)
        assert answer is not None
        return answer.frame

    def speak(self, terminal: PseudoTerminal, data: bytes) -> None:  # noqa: ARG002 - the slave has it
        self.said = data


async def test_a_readout_is_recorded_as_the_meter_told_it(terminal: PseudoTerminal) -> None:
    bus = Bus(MBusSlave(7, 5))
    meter = driver(terminal.path)
    async with on_terminal(bus, terminal):
        await meter.open()
        readings = await take(meter, 3)
        await meter.close()
    assert [as_text(reading) for reading in readings] == bus.told[:3]
    assert readings[0].origin is Origin.CHECKSUM
    assert_plain(readings[0].data)
    event_type("meter.reading").check(readings[0].data)
    assert meter.counters == WireCounters(readings=3)


@pytest.mark.parametrize("medium", MBusSlave.MEDIA)
@pytest.mark.parametrize("address", [5, 254, "00000007", "F0000007-WSD-01"])
async def test_a_meter_is_found_by_any_address_of_its(terminal: PseudoTerminal, medium: str, address: Any) -> None:
    bus = Bus(MBusSlave(7, 5, medium))
    meter = driver(terminal.path, address)
    async with on_terminal(bus, terminal):
        await meter.open()
        (reading,) = await take(meter, 1)
        await meter.close()
    assert as_text(reading) == bus.told[0]


async def test_telegrams_are_fetched_for_as_long_as_more_follow(terminal: PseudoTerminal) -> None:
    bus = Bus(MBusSlave(7, 5, telegrams=4))
    meter = driver(terminal.path)
    async with on_terminal(bus, terminal):
        await meter.open()
        readings = await take(meter, 2)
        await meter.close()
    assert sorted(row["obis"] for row in readings[1].data["registers"]) == ["6-0:1.0.0", "6-0:2.0.0"]
    assert readings[1].data["meter_time"] == "2026-11-23T12:34"
    assert [request[1] for request in bus.requests[:5]] == [0x40, 0x7B, 0x5B, 0x7B, 0x5B]


async def test_a_meter_that_never_ends_is_bounded(terminal: PseudoTerminal) -> None:
    body = b"\x72" + MBusSlave(7, 5).secondary_address + bytes(4) + b"\x04\x06\x01\x00\x00\x00\x1f"
    meter = driver(terminal.path)
    async with on_terminal(
        Bus(MBusSlave(7, 5), damage=lambda f: f if f == b"\xe5" else long_frame(8, 5, body)), terminal
    ):
        await meter.open()
        (reading,) = await take(meter, 1)
        await meter.close()
    assert as_text(reading)["registers"] == [{"obis": "6-0:1.0.0", "value": "1000", "unit": "Wh"}]
    assert "more than 16 telegrams" in meter.counters.last_error


async def test_several_meters_share_one_line_and_none_waits_for_a_silent_one(terminal: PseudoTerminal) -> None:
    bus = Bus(MBusSlave(7, 5), MBusSlave(8, 6, "water"))
    first, second, silent = driver(terminal.path), driver(terminal.path, "00000008-WSD"), driver(terminal.path, 99)
    assert isinstance(first, Addressed)
    async with on_terminal(bus, terminal):
        for meter in (first, second, silent):
            await meter.open()
        results = await asyncio.gather(take(first, 2), take(second, 2), take(silent, 1), return_exceptions=True)
        for meter in (first, second, silent):
            await meter.close()
    assert isinstance(results[2], DeviceError)
    for readings, name in zip(results[:2], ("00000007-WSD-01-04", "00000008-WSD-01-07"), strict=True):
        assert isinstance(readings, list)
        assert {reading.data["meter_id"] for reading in readings} == {name}
    assert terminal.path not in " ".join(open_files())


async def test_meters_of_one_line_agree_in_its_speed(terminal: PseudoTerminal) -> None:
    first, second = driver(terminal.path), driver(terminal.path, 6, baudrate=9600)
    await first.open()
    with pytest.raises(DeviceError, match="same `baudrate`"):
        await second.open()
    await first.close()
    await second.open()
    await second.close()


async def test_a_damaged_answer_is_asked_for_again_and_recorded_once(terminal: PseudoTerminal) -> None:
    seen = 0

    def damage(frame: bytes) -> bytes:
        nonlocal seen
        seen += 1
        return frame if seen % 3 else frame[:-3] + bytes((frame[-3] ^ 1,)) + frame[-2:] if len(frame) > 1 else b""

    bus = Bus(MBusSlave(7, 5), damage=damage)
    meter = driver(terminal.path)
    async with on_terminal(bus, terminal):
        await meter.open()
        readings = await take(meter, 5)
        await meter.close()
    assert [as_text(reading) for reading in readings] == bus.told[:5]
    assert meter.counters.errors > 0


async def test_noise_before_an_answer_and_the_echo_of_the_request_do_no_harm(terminal: PseudoTerminal) -> None:
    bus = Bus(MBusSlave(7, 5), damage=lambda frame: b"\x00\x68\x10\xff" + frame)
    meter = driver(terminal.path)
    async with on_terminal(bus, terminal):
        await meter.open()
        readings = await take(meter, 2)
        await meter.close()
    assert [as_text(reading) for reading in readings] == bus.told[:2]
    assert meter.counters.bytes_dropped > 0


async def test_a_meter_that_does_not_answer_is_a_device_error_with_its_address_and_the_mend(
    terminal: PseudoTerminal,
) -> None:
    meter = driver(terminal.path, "12345678-ELV", answer_s=0.1)
    await meter.open()
    with pytest.raises(
        DeviceError, match=r"secondary address 12345678-ELV-\*-\* gave no whole answer.*check `address`"
    ):
        await take(meter, 1)
    await meter.close()


async def test_an_answer_of_another_meter_is_not_taken_for_this_one(terminal: PseudoTerminal) -> None:
    bus = Bus(MBusSlave(7, 5), damage=lambda f: f if f == b"\xe5" else long_frame(8, 6, f[6:-2]))
    meter = driver(terminal.path)
    async with on_terminal(bus, terminal):
        await meter.open()
        with pytest.raises(DeviceError):
            await take(meter, 1)
        await meter.close()
    assert meter.counters.readings == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\x70\x08", "application busy"),
        (b"\x72" + bytes(8) + bytes((1, 0, 0, 5)) + b"\xaa" * 16, "encrypted"),
        (b"\x72" + bytes(7) + b"\x04" + bytes(4) + b"\x44\x06\x01\x00\x00\x00", "none of `registers`"),
    ],
)
async def test_an_answer_without_a_register_is_a_counted_error(
    terminal: PseudoTerminal, body: bytes, told: str
) -> None:
    bus = Bus(MBusSlave(7, 5), damage=lambda f: f if f == b"\xe5" else long_frame(8, 5, body))
    meter = driver(terminal.path)
    async with on_terminal(bus, terminal):
        await meter.open()
        task = asyncio.create_task(take(meter, 1))
        async with asyncio.timeout(10):
            while not meter.counters.errors:  # noqa: ASYNC110 - a counter has no event
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await meter.close()
    assert told in meter.counters.last_error


async def test_an_unplugged_converter_is_noticed_between_two_readouts_and_comes_back(terminal: PseudoTerminal) -> None:
    bus = Bus(MBusSlave(7, 5))
    meter = driver(terminal.path, poll_s=900.0)
    async with on_terminal(bus, terminal):
        await meter.open()
        await take(meter, 1)
        asyncio.get_running_loop().call_later(0.2, terminal.unplug)
        with pytest.raises(DeviceError, match=terminal.path):
            await take(meter, 2)
        terminal.replug()
        await meter.open()
        await take(meter, 1)
        await meter.close()
        await meter.close()


async def test_a_level_converter_may_be_behind_tcp() -> None:
    bus = Bus(MBusSlave(7, 5), MBusSlave(8, 6, "electricity"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            for byte in bus.answers(data):
                writer.write(bytes((byte,)))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    first, second = driver(f"tcp://127.0.0.1:{port}"), driver(f"tcp://127.0.0.1:{port}", "00000008")
    async with server:
        await first.open()
        await second.open()
        readings = await asyncio.gather(take(first, 2), take(second, 2))
        await first.close()
        await second.close()
    assert {one.data["meter_id"] for one in readings[0]} == {"00000007-WSD-01-04"}
    assert {one.data["meter_id"] for one in readings[1]} == {"00000008-WSD-01-02"}


async def test_a_driver_says_where_its_meter_is_and_reads_nothing_unless_it_is_open() -> None:
    meter = driver("/nowhere/port")
    assert (MBus.address(meter._settings), meter.wire_role) == ("primary address 5", WireRole.SOLE_MASTER)
    with pytest.raises(DeviceError, match="is not open"):
        await take(meter, 1)


def test_settings_tell_every_mistake_with_its_mend() -> None:
    problems = Problems()
    read_settings(MBusSettings, {"port": "tcp://", "address": 300, "baudrate": 1}, problems, "device[0]")
    assert len(problems) == 3
    problems = Problems()
    settings = read_settings(MBusSettings, {"port": "/dev/ttyUSB0", "address": "11490378"}, problems, "device[0]")
    assert not problems
    assert settings is not None
    assert (settings.baudrate, settings.poll_s) == (2400, 900.0)
