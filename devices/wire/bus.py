"""One port with several devices behind it: opened once for all drivers that join it, used by one at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, Self

from devices.driver import DeviceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.wire.line import Line

KEPT_BYTES_MAX = 4096


class Listener(Protocol):
    """Who gets all that comes from a bus, whoever has the turn."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def fail(self, error: DeviceError) -> None:
        """The line is lost; nothing comes any more."""


class Bus:
    """A line that is shared by all who joined it. Keeps at most 4 kB that nobody has read yet.

    `heard_s` is when bytes last came, by the event loop's clock.
    """

    def __init__(self, line: Line, baudrate: int, **others: object) -> None:
        self.line = line
        self.setup = {"baudrate": baudrate, **others}
        self.users = 0
        self.failure: DeviceError | None = None
        self.heard_s = 0.0
        self._taken = asyncio.Lock()
        self._kept = bytearray()
        self._unread_bytes = 0
        self._arrived = asyncio.Event()
        self._lost = asyncio.Event()
        self._listeners: list[Listener] = []
        self._receiving: asyncio.Task[None] | None = None

    @classmethod
    async def join(cls, line: Line, baudrate: int, **others: object) -> Self:
        """The bus at the port of `line`, opened with it by the first who joins; each must `leave` it once.

        All must agree in `baudrate` and `others`, which are named as the keys of a device. Raises DeviceError.
        """
        bus = _buses.get(line.port)
        if bus is None or bus.failure is not None:
            bus = _buses[line.port] = cls(line, baudrate, **others)
        if not isinstance(bus, cls) or bus.setup != {"baudrate": baudrate, **others}:
            keys = ", ".join(f"`{key}`" for key in ("baudrate", *others))
            mend = f"another device has it open with other settings; give both the same {keys}"
            raise DeviceError(f"port {line.port}: {mend}")
        bus.users += 1
        try:
            await bus._open()
        except BaseException:
            await bus.leave()
            raise
        return bus

    async def leave(self) -> None:
        """To be called once by each who joined; the last closes the line."""
        self.users -= 1
        if self.users == 0:
            if _buses.get(self.line.port) is self:
                del _buses[self.line.port]
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
        self.drop()
        return data

    def drop(self) -> int:
        """Forget the bytes that came since they were last read, in one's turn; how many they were."""
        count, self._unread_bytes = self._unread_bytes, 0
        self._kept.clear()
        return count

    def listen(self, listener: Listener) -> None:
        """Give `listener` all that comes, until `stop_listening`."""
        self._listeners.append(listener)

    def stop_listening(self, listener: Listener) -> None:
        """No more."""
        self._listeners.remove(listener)

    async def rest(self, seconds: float) -> None:
        """Wait. Raises DeviceError as soon as the line is lost."""
        try:
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        except TimeoutError:
            return
        self._raise_if_lost()

    async def _open(self) -> None:
        async with self._taken:
            if self._receiving is None:
                await self.line.open()
                self._receiving = asyncio.create_task(self._receive())

    async def _receive(self) -> None:
        try:
            while True:
                data = await self.line.read()
                self.heard_s = asyncio.get_running_loop().time()
                self._unread_bytes += len(data)
                self._kept += data
                del self._kept[:-KEPT_BYTES_MAX]
                self._arrived.set()
                for listener in self._listeners:
                    listener.feed(data)
        except DeviceError as error:
            self.failure = error
            self._lost.set()
            self._arrived.set()
            for listener in self._listeners:
                listener.fail(error)

    def _raise_if_lost(self) -> None:
        if self.failure is not None:
            raise DeviceError(str(self.failure)) from self.failure


_buses: dict[str, Bus] = {}
