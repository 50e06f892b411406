from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from devices.driver import DeviceError
from devices.wire.bus import KEPT_BYTES_MAX, Bus, join_bus, leave_bus
from devices.wire.serial_line import SerialLine
from tests.devices.feeding import send

if TYPE_CHECKING:
    from devices.sim.pty import PseudoTerminal


async def join(terminal: PseudoTerminal, setup: object = 2400) -> Bus:
    return await join_bus(terminal.path, setup, partial(SerialLine, terminal.path, 2400, 8, "E"))


async def test_a_port_is_opened_once_for_all_and_closed_by_the_last(terminal: PseudoTerminal) -> None:
    first, second = await join(terminal), await join(terminal)
    assert first is second
    await leave_bus(first)
    async with second.turn():
        await second.write(b"still open")
    assert terminal.read(1.0) == b"still open"
    await leave_bus(second)
    third = await join(terminal)
    assert third is not first
    await leave_bus(third)


async def test_who_wants_another_speed_is_told(terminal: PseudoTerminal) -> None:
    bus = await join(terminal)
    with pytest.raises(DeviceError, match="same `baudrate`"):
        await join(terminal, 9600)
    await leave_bus(bus)


async def test_one_has_the_line_at_a_time(terminal: PseudoTerminal) -> None:
    bus = await join(terminal)
    order: list[str] = []

    async def use(name: str) -> None:
        async with bus.turn():
            order.append(f"{name} begins")
            await asyncio.sleep(0.01)
            order.append(f"{name} ends")

    await asyncio.gather(use("a"), use("b"))
    assert order == ["a begins", "a ends", "b begins", "b ends"]
    await leave_bus(bus)


async def test_what_nobody_reads_is_kept_up_to_a_bound(terminal: PseudoTerminal) -> None:
    bus = await join(terminal)
    await send(terminal, bytes(3 * KEPT_BYTES_MAX) + b"last")
    async with bus.turn(), asyncio.timeout(10):
        data = b""
        while not data.endswith(b"last"):
            kept = await bus.read()
            assert len(kept) <= KEPT_BYTES_MAX
            data += kept
    await leave_bus(bus)


async def test_a_lost_line_is_told_to_all_and_the_next_who_joins_opens_it_anew(terminal: PseudoTerminal) -> None:
    bus = await join(terminal)
    await join(terminal)

    async def read() -> None:
        async with bus.turn():
            await bus.read()

    resting, reading = asyncio.create_task(bus.rest(60)), asyncio.create_task(read())
    await asyncio.sleep(0)
    terminal.unplug()
    for task in (resting, reading):
        with pytest.raises(DeviceError, match=terminal.path):
            await task
    with pytest.raises(DeviceError, match=terminal.path):
        async with bus.turn():
            raise AssertionError("nobody has a lost line")
    terminal.replug()
    fresh = await join(terminal)
    async with fresh.turn():
        await fresh.write(b"here")
    assert terminal.read(1.0) == b"here"
    for one in (bus, bus, fresh):
        await leave_bus(one)


async def test_a_port_that_cannot_be_opened_leaves_nothing_behind(terminal: PseudoTerminal) -> None:
    terminal.unplug()
    for _ in range(2):
        with pytest.raises(DeviceError):
            await join(terminal)
    terminal.replug()
    bus = await join(terminal)
    await leave_bus(bus)
