"""One port with several devices behind it: opened once for all drivers that join it, used by one at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from devices.driver import DeviceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEPT_BYTES_MAX = 4096


class Line(Protocol):
    """A wire: `SerialLine`, `TcpLine`."""

    port: str

    async def open(self) -> None:
        """Open it. Raises DeviceError."""

    async def read(self) -> bytes:
        """The next bytes. Raises DeviceError when the line is lost."""

    async def write(self, data: bytes) -> None:
        """Send all of `data`. Raises DeviceError."""

    async def close(self) -> None:
        """Close it; idempotent."""


class Bus:
    """A line that is shared by all who joined it (`join_bus`). Keeps at most 4 kB that nobody has read yet."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.users = 0
        self.failure: DeviceError | None = None
        self._taken = asyncio.Lock()
        self._kept = bytearray()
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._receiving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the line, if nobody has yet. Raises DeviceError."""
        async with self._taken:
            if self._receiving is None:
                await self.line.open()
                self._receiving = asyncio.create_task(self._receive())

    async def close(self) -> None:
        """Close the line; idempotent."""
        await self.line.close()
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.wait({self._receiving})

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have the line for oneself, in the order of asking. Raises DeviceError when it is lost."""
        async with self._taken:
            self._raise_if_lost()
            yield

    async def write(self, data: bytes) -> None:
        """Send, in one's turn. Raises DeviceError when the line is lost."""
        self._raise_if_lost()
        await self.line.write(data)

    async def read(self) -> bytes:
        """The bytes that came since they were last read, in one's turn; waits for them. Raises DeviceError."""
        while not self._kept:
            self._raise_if_lost()
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._kept)
        self._kept.clear()
        return data

    async def rest(self, seconds: float) -> None:
        """Wait. Raises DeviceError as soon as the line is lost."""
        try:
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        except TimeoutError:
            return
        self._raise_if_lost()

    async def _receive(self) -> None:
        try:
            while True:
                self._kept += await self.line.read()
                del self._kept[:-KEPT_BYTES_MAX]
                self._arrived.set()
        except DeviceError as error:
            self.failure = error
            self._lost.set()
            self._arrived.set()

    def _raise_if_lost(self) -> None:
        if self.failure is not None:
            raise DeviceError(str(self.failure)) from self.failure


_buses: dict[str, tuple[Bus, object]] = {}


async def join_bus(port: str, setup: object, make: Callable[[], Line]) -> Bus:
    """The bus at `port`, opened by the first who joins it with the line that `make` gives.

    `setup` is what all users must agree in, such as the baud rate. Raises DeviceError.
    """
    bus, agreed = _buses.get(port, (None, setup))
    if bus is None or bus.failure is not None:
        bus = Bus(make())
        _buses[port] = bus, setup
    elif agreed != setup:
        raise DeviceError(f"port {port}: another device has it open with other settings; give both the same `baudrate`")
    bus.users += 1
    try:
        await bus.open()
    except BaseException:
        await leave_bus(bus)
        raise
    return bus


async def leave_bus(bus: Bus) -> None:
    """To be called once by each who joined; the last closes the line."""
    bus.users -= 1
    if bus.users == 0:
        if _buses.get(bus.line.port, (None, None))[0] is bus:
            del _buses[bus.line.port]
        await bus.close()
