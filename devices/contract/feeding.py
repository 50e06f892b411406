"""Feeding parsers and drivers in tests: in pieces, over a real wire, within a deadline."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from devices.driver import Driver, Reading
    from devices.sim.pty import PseudoTerminal


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """`data` cut into pieces of the given sizes, over and over."""
    position, turn = 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        yield data[position : position + size]
        position, turn = position + size, turn + 1


async def send(terminal: PseudoTerminal, data: bytes) -> None:
    """Send all of `data` as fast as the other side fetches it."""
    async with asyncio.timeout(20):
        while data:
            data = data[terminal.write(data) :]
            await asyncio.sleep(0)


async def take(driver: Driver, count: int, *, during: Callable[[], Any] = lambda: None) -> list[Reading]:
    """The next `count` readings, within 20 s; `during` is called once the driver listens."""
    taken: list[Reading] = []
    async with asyncio.timeout(20), aclosing(cast("AsyncGenerator[Reading]", driver.readings())) as readings:
        asyncio.get_running_loop().call_soon(during)
        async for reading in readings:
            taken.append(reading)
            if len(taken) == count:
                break
    return taken
