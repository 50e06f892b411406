from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from devices.contract.feeding import send
from devices.driver import DeviceError
from devices.wire.bus import KEPT_BYTES_MAX, Bus
from devices.wire.line import line_at
from tests.support.waiting import until

if TYPE_CHECKING:
    from devices.sim.pty import PseudoTerminal


class Heard:
    def __init__(self) -> None:
        self.data = b""
        self.failure: DeviceError | None = None

    def feed(self, data: bytes) -> None:
        self.data += data

    def fail(self, error: DeviceError) -> None:
        self.failure = error


async def join(terminal: PseudoTerminal, baudrate: int = 2400, **others: object) -> Bus:
    return await Bus.join(line_at(terminal.path, baudrate, 8, "E"), baudrate, **others)


async def test_a_port_is_opened_once_for_all_and_closed_by_the_last(terminal: PseudoTerminal) -> None:
    first, second = await join(terminal), await join(terminal)
    assert first is second
    await first.leave()
    async with second.turn():
        await second.write(b"still open")
    assert terminal.read(1.0) == b"still open"
    await second.leave()
    third = await join(terminal)
    assert third is not first
    await third.leave()


async def test_who_wants_another_speed_or_character_is_told_in_what_all_must_agree(terminal: PseudoTerminal) -> None:
    bus = await join(terminal, parity="E")
    for baudrate, parity in ((9600, "E"), (2400, "N")):
        with pytest.raises(DeviceError, match="same `baudrate`, `parity`"):
            await join(terminal, baudrate, parity=parity)
    await bus.leave()
    bus = await join(terminal, 9600)
    await bus.leave()


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
    await bus.leave()


async def test_what_nobody_reads_is_kept_up_to_a_bound(terminal: PseudoTerminal) -> None:
    bus = await join(terminal)
    await send(terminal, bytes(3 * KEPT_BYTES_MAX) + b"last")
    async with bus.turn(), asyncio.timeout(10):
        data = b""
        while not data.endswith(b"last"):
            kept = await bus.read()
            assert len(kept) <= KEPT_BYTES_MAX
            data += kept
    await bus.leave()


async def test_what_came_unread_is_dropped_and_counted_whole(terminal: PseudoTerminal) -> None:
    bus = await join(terminal)
    heard = Heard()
    bus.listen(heard)
    await send(terminal, bytes(3 * KEPT_BYTES_MAX))
    await until(lambda: len(heard.data) == 3 * KEPT_BYTES_MAX)
    async with bus.turn():
        assert bus.drop() == 3 * KEPT_BYTES_MAX
        assert bus.drop() == 0
        terminal.write(b"fresh")
        assert await bus.read() == b"fresh"
        assert bus.drop() == 0
    await bus.leave()


async def test_who_listens_gets_all_until_it_stops_and_is_told_of_a_loss(terminal: PseudoTerminal) -> None:
    bus, first, second = await join(terminal), Heard(), Heard()
    bus.listen(first)
    bus.listen(second)
    terminal.write(b"both")
    await until(lambda: first.data == second.data == b"both")
    bus.stop_listening(first)
    terminal.write(b", one")
    await until(lambda: second.data == b"both, one")
    terminal.unplug()
    await until(lambda: second.failure is not None)
    assert (first.data, first.failure) == (b"both", None)
    await bus.leave()


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
        await one.leave()


async def test_a_port_that_cannot_be_opened_leaves_nothing_behind(terminal: PseudoTerminal) -> None:
    terminal.unplug()
    for _ in range(2):
        with pytest.raises(DeviceError):
            await join(terminal)
    terminal.replug()
    bus = await join(terminal)
    await bus.leave()
