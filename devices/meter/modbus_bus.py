"""One Modbus port and the meters behind it: opened and locked once, one request at a time, in the order of asking."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from devices.driver import DeviceError
from devices.meter.modbus_frame import AnswerFinder, Refusal, RegisterRead, rtu_request, tcp_request
from devices.wire.serial_line import SerialLine
from devices.wire.tcp_line import TcpLine

if TYPE_CHECKING:
    from devices.driver import WireCounters

TCP = "tcp://"
# MODBUS over Serial Line V1.02, clause 2.5.1.1: 3.5 characters of 11 bits between frames, 1.75 ms above 19,200 bit/s.
_SILENT_BITS = 3.5 * 11
_SILENT_S_MIN = 0.00175


class ReadError(Exception):
    """A read that gave nothing, while the port is well. The message says what was asked and what happened."""


@dataclass(frozen=True, slots=True)
class PortSettings:
    """What all devices at a port share. `baudrate` and `parity` are of no account over TCP."""

    port: str
    baudrate: int
    parity: str
    listen: bool


class Receiver(Protocol):
    """Who gets what comes from the port."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def fail(self, error: DeviceError) -> None:
        """The port is lost; nothing comes any more."""


class ModbusBus:
    """A port that is shared by all who joined it (`join_bus`)."""

    def __init__(self, settings: PortSettings) -> None:
        self.settings = settings
        self.users = 0
        self.failure: DeviceError | None = None
        self._over_tcp = settings.port.startswith(TCP)
        self._line = (
            TcpLine(settings.port)
            if self._over_tcp
            else SerialLine(settings.port, settings.baudrate, bytesize=8, parity=settings.parity)
        )
        self._silent_s = 0.0 if self._over_tcp else max(_SILENT_S_MIN, _SILENT_BITS / settings.baudrate)
        self._turn = asyncio.Lock()
        self._receivers: list[Receiver] = []
        self._receiving: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._busy_until_s = 0.0
        self._transaction = 0
        self._unanswered_until_s: dict[int, float] = {}
        self._unasked_bytes = 0

    async def open(self) -> None:
        """Open the port, if nobody has yet. Raises DeviceError."""
        async with self._turn:
            if self._receiving is None:
                await self._line.open()
                self._receiving = asyncio.create_task(self._receive())

    async def close(self) -> None:
        """Close the port; idempotent."""
        await self._line.close()
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.wait({self._receiving})

    async def read(self, unit: int, read: RegisterRead, timeout_s: float, counters: WireCounters) -> bytes:
        """The registers' bytes. Raises ReadError after `timeout_s` or a refusal, DeviceError when the port is lost.

        A unit that did not answer is left alone for another `timeout_s`.
        """
        loop = asyncio.get_running_loop()
        # On a serial line nothing tells an answer that comes too late from that to the next request of the same length.
        await asyncio.sleep(self._unanswered_until_s.pop(unit, 0.0) - loop.time())
        async with self._turn:
            self._raise_if_lost()
            await asyncio.sleep(self._busy_until_s + self._silent_s - loop.time())
            unasked, self._unasked_bytes = self._unasked_bytes, 0
            _count_noise(unasked, counters)
            result: bytes | Refusal | None = None
            self._transaction = (self._transaction + 1) % 0x10000
            transaction = self._transaction if self._over_tcp else None
            answer = _Answer(AnswerFinder(unit, read, transaction))
            self._receivers.append(answer)
            try:
                request = rtu_request(unit, read) if transaction is None else tcp_request(transaction, unit, read)
                await self._line.write(request)
                async with asyncio.timeout(timeout_s):
                    result = await answer.result
            except TimeoutError as error:
                counters.bytes_dropped += answer.finder.received
                raise ReadError(f"{read}: {_why(answer.finder, timeout_s)}") from error
            finally:
                self._receivers.remove(answer)
                self._busy_until_s = loop.time()
                if result is None:
                    self._unanswered_until_s[unit] = self._busy_until_s + timeout_s
        _count_noise(answer.finder.noise, counters)
        if isinstance(result, Refusal):
            raise ReadError(f"{read}: the meter answers {result}; check `model` and the register's address")
        return result

    async def rest(self, seconds: float) -> None:
        """Wait. Raises DeviceError as soon as the port is lost."""
        try:
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        except TimeoutError:
            return
        self._raise_if_lost()

    def listen(self, receiver: Receiver) -> None:
        """Give `receiver` all that comes, until `stop_listening`."""
        self._receivers.append(receiver)

    def stop_listening(self, receiver: Receiver) -> None:
        """No more; idempotent."""
        if receiver in self._receivers:
            self._receivers.remove(receiver)

    async def _receive(self) -> None:
        try:
            while True:
                data = await self._line.read()
                self._busy_until_s = asyncio.get_running_loop().time()
                if not self._receivers:
                    self._unasked_bytes += len(data)
                for receiver in tuple(self._receivers):
                    receiver.feed(data)
        except DeviceError as error:
            self.failure = error
            for receiver in tuple(self._receivers):
                receiver.fail(error)
            self._lost.set()

    def _raise_if_lost(self) -> None:
        if self.failure is not None:
            raise DeviceError(str(self.failure)) from self.failure


class _Answer:
    """Waits for one answer."""

    def __init__(self, finder: AnswerFinder) -> None:
        self.finder = finder
        self.result: asyncio.Future[bytes | Refusal] = asyncio.get_running_loop().create_future()

    def feed(self, data: bytes) -> None:
        found = self.finder.feed(data)
        if found is not None and not self.result.done():
            self.result.set_result(found)

    def fail(self, error: DeviceError) -> None:
        if not self.result.done():
            self.result.set_exception(DeviceError(str(error)))


def _count_noise(count: int, counters: WireCounters) -> None:
    if count:
        counters.bytes_dropped += count
        counters.resyncs += 1
        counters.last_error = f"dropped {count} bytes that are no answer; check wiring and termination"


def _why(finder: AnswerFinder, timeout_s: float) -> str:
    if finder.damaged:
        return "an answer whose CRC is wrong; check wiring, termination and parity"
    if finder.received:
        return f"{finder.received} bytes, but no answer within {timeout_s:g} s; check baudrate, parity and wiring"
    return f"no answer within {timeout_s:g} s; check `unit`, baudrate, parity, wiring and the meter's power"


_buses: dict[str, ModbusBus] = {}


async def join_bus(settings: PortSettings) -> ModbusBus:
    """The bus at `settings.port`, opened by the first who joins it. Raises DeviceError."""
    bus = _buses.get(settings.port)
    if bus is None or bus.failure is not None:
        bus = _buses[settings.port] = ModbusBus(settings)
    elif bus.settings != settings:
        raise DeviceError(
            f"port {settings.port}: another device of this gateway has it open with other settings; give both the same "
            "`baudrate`, `parity` and `listen`"
        )
    bus.users += 1
    try:
        await bus.open()
    except BaseException:
        await leave_bus(bus)
        raise
    return bus


async def leave_bus(bus: ModbusBus) -> None:
    """To be called once by each who joined; the last closes the port."""
    bus.users -= 1
    if bus.users == 0:
        if _buses.get(bus.settings.port) is bus:
            del _buses[bus.settings.port]
        await bus.close()
