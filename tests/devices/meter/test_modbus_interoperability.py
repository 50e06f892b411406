"""The driver against somebody else's reading of the standard: the server of pymodbus."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from devices.contract.feeding import take
from devices.meter.modbus import Modbus, ModbusSettings
from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ABB_B23 = [
    SimData(0x5000, values=[123456789012, 3], datatype=DataType.UINT64),
    SimData(0x5B14, values=-12345, datatype=DataType.INT32),
    SimData(0x8900, values=20261123, datatype=DataType.UINT32),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def copy(source: PseudoTerminal, target: PseudoTerminal) -> None:
    while True:
        data = await source.receive()
        for start in range(0, len(data), 3):
            target.write(data[start : start + 3])
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serial_bus(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """A cable of two ends, which carries what is written in pieces of three bytes."""
    with PseudoTerminal(folder / "a") as one, PseudoTerminal(folder / "b") as other:
        copying = [asyncio.create_task(copy(*ends)) for ends in ((one, other), (other, one))]
        yield one.path, other.path
        for task in copying:
            task.cancel()
        await asyncio.wait(copying)


@pytest.fixture(params=["rtu", "tcp"])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    device = SimDevice(3, ABB_B23)
    server: ModbusTcpServer | ModbusSerialServer
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "tcp":
            tcp_port = free_port()
            server = ModbusTcpServer(device, address=("127.0.0.1", tcp_port))
            ours = f"tcp://127.0.0.1:{tcp_port}"
        else:
            ours, theirs = await stack.enter_async_context(serial_bus(tmp_path))
            server = ModbusSerialServer(device, port=theirs, baudrate=9600)
        await server.serve_forever(background=True)
        yield ours
        await server.shutdown()  # type: ignore[no-untyped-call] # the library's own


async def test_a_meter_served_by_pymodbus_is_read_digit_by_digit(port: str) -> None:
    driver = Modbus("meter-1", ModbusSettings(port, unit=3, model="abb-b23", poll_s=0.1))
    await driver.open()
    readings = await take(driver, 3)
    await driver.close()
    assert [reading.data["meter_id"] for reading in readings] == ["20261123"] * 3
    assert {row["obis"]: str(row["value"]) for row in readings[0].data["registers"]} == {
        "1-0:1.8.0": "1234567890.12",
        "1-0:2.8.0": "0.03",
        "1-0:16.7.0": "-123.45",
    }
    assert driver.counters.errors == 0
