"""A port with Modbus meters behind it: one request at a time, with the silence that the standard wants between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from devices.meter.modbus_frame import AnswerFinder, Refusal, RegisterRead, rtu_request, tcp_request
from devices.wire.bus import Bus
from devices.wire.line import is_tcp

if TYPE_CHECKING:
    from devices.driver import WireCounters
    from devices.wire.line import Line

# MODBUS over Serial Line V1.02, clause 2.5.1.1: 3.5 characters of 11 bits between frames, 1.75 ms above 19,200 bit/s.
_SILENT_BITS = 3.5 * 11
_SILENT_S_MIN = 0.00175


class ReadError(Exception):
    """A read that gave nothing, while the port is well. The message says what was asked and what happened."""


class ModbusBus(Bus):
    """A serial port, or a TCP connection, over which registers are read."""

    def __init__(self, line: Line, baudrate: int, **others: object) -> None:
        super().__init__(line, baudrate, **others)
        self._over_tcp = is_tcp(line.port)
        self._silent_s = 0.0 if self._over_tcp else max(_SILENT_S_MIN, _SILENT_BITS / baudrate)
        self._asked_until_s = 0.0
        self._transaction = 0
        self._unanswered_until_s: dict[int, float] = {}

    async def read_registers(self, unit: int, read: RegisterRead, timeout_s: float, counters: WireCounters) -> bytes:
        """The registers' bytes. Raises ReadError after `timeout_s` or a refusal, DeviceError when the port is lost.

        A unit that did not answer is left alone for another `timeout_s`.
        """
        loop = asyncio.get_running_loop()
        # On a serial line nothing tells an answer that comes too late from that to the next request of the same length.
        await asyncio.sleep(self._unanswered_until_s.pop(unit, 0.0) - loop.time())
        async with self.turn():
            await asyncio.sleep(max(self.heard_s, self._asked_until_s) + self._silent_s - loop.time())
            _count_noise(self.drop(), counters)
            self._transaction = (self._transaction + 1) % 0x10000
            transaction = self._transaction if self._over_tcp else None
            finder = AnswerFinder(unit, read, transaction)
            result: bytes | Refusal | None = None
            try:
                await self.write(
                    rtu_request(unit, read) if transaction is None else tcp_request(transaction, unit, read)
                )
                async with asyncio.timeout(timeout_s):
                    while result is None:
                        result = finder.feed(await self.read())
            except TimeoutError as error:
                counters.bytes_dropped += finder.received
                raise ReadError(f"{read}: {_why(finder, timeout_s)}") from error
            finally:
                self._asked_until_s = loop.time()
                if result is None:
                    self._unanswered_until_s[unit] = self._asked_until_s + timeout_s
        _count_noise(finder.noise, counters)
        if isinstance(result, Refusal):
            raise ReadError(f"{read}: the meter answers {result}; check `model` and the register's address")
        return result


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
