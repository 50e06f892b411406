"""Meters with an optical port after IEC 62056-21 (formerly IEC 1107), modes A, B and C: signed on to and read out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

from devices.driver import DeviceError, Origin, WireCounters, WireRole
from devices.meter.iec62056_readout import (
    READOUT_BYTES_MAX,
    Identification,
    IdentificationFinder,
    ReadoutFinder,
    acknowledgement,
    meter_in,
)
from devices.meter.registers import Meter, RegisterFilter, meter_readings, registers_setting
from devices.wire.serial_line import SerialLine
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from devices.driver import Reading

    T = TypeVar("T")

FAILED_READOUTS_MAX = 3
AGAIN_S = 30.0  # a readout that failed is not made up for at once, and not a quarter of an hour later either
# Sign-on with an address, reaction (1.5 s) and identification take 4 s at 300 bit/s. A port that is open for 5 s counts
# as held: a meter that stays away must not be told as online in between.
IDENTIFICATION_DEADLINE_S = 4.5
SILENCE_DEADLINE_S = 3.0  # a meter reacts, and goes on, within 1.5 s
_SLOWEST_BAUDRATE = 300
_BITS_PER_CHARACTER = 10
_READOUT_DEADLINE_S = READOUT_BYTES_MAX * _BITS_PER_CHARACTER / _SLOWEST_BAUDRATE
_ADDRESS_CHARACTERS_MAX = 32


class _ReadoutError(Exception):
    """A readout that failed, while the port is well."""


def _check_address(address: str) -> str | None:
    if len(address) <= _ADDRESS_CHARACTERS_MAX and address.isascii() and (address.isalnum() or not address):
        return None
    return "must be at most 32 ASCII letters and digits, such as the number on the meter's plate"


@dataclass(frozen=True)
class Iec62056Settings:
    """Keys of a `[[device]]` with `driver = "iec62056"`."""

    port: str = setting(doc="the serial port of the optical head, best a path under /dev/serial/by-id", minimum=1)
    address: str = setting(
        "", doc="the meter's device address, needed only where several share a line", check=_check_address
    )
    baudrate: int = setting(300, doc="bit/s of the sign-on", minimum=300, maximum=19200)
    baudrate_max: int = setting(
        9600, doc="bit/s; a meter that proposes more is read at 300", minimum=300, maximum=19200
    )
    poll_s: float = setting(900.0, doc="how often the meter is read out", minimum=1, maximum=86_400)
    registers: tuple[str, ...] = registers_setting()


class Iec62056:
    """Driver of an optical head: one `meter.reading` a readout."""

    Settings: ClassVar[type[Iec62056Settings]] = Iec62056Settings
    wire_role: ClassVar[WireRole] = WireRole.SOLE_MASTER

    def __init__(self, device: str, settings: Iec62056Settings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._settings = settings
        self._chosen = RegisterFilter(settings.registers)
        self._line = SerialLine(settings.port, settings.baudrate, bytesize=7, parity="E")
        self._failed_readouts = 0

    async def open(self) -> None:
        """Open the port. Raises DeviceError."""
        await self._line.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """Readings of every readout. Raises DeviceError when the port is lost or three readouts in a row failed."""
        while True:
            started_s = asyncio.get_running_loop().time()
            rest_s = self._settings.poll_s
            try:
                meter = await self._read_out()
            except _ReadoutError as error:
                self._failed_readouts += 1
                if self._failed_readouts >= FAILED_READOUTS_MAX:
                    failed = f"{self._failed_readouts} readouts failed in a row, the last one"
                    raise DeviceError(f"port {self._settings.port}: {failed}: {error}") from error
                rest_s = min(rest_s, AGAIN_S)
            else:
                self._failed_readouts = 0
                for reading in meter_readings(meter, self._chosen, "crc", Origin.CHECKSUM):
                    self.counters.readings += 1
                    yield reading
            await self._rest_until(started_s + rest_s)

    async def close(self) -> None:
        """Close the port; idempotent."""
        await self._line.close()

    async def _read_out(self) -> Meter:
        """Sign on, agree on a speed, read."""
        settings, line = self._settings, self._line
        line.change_baudrate(settings.baudrate)
        await line.write(f"/?{settings.address}!\r\n".encode("ascii"))
        async with self._deadline(
            IDENTIFICATION_DEADLINE_S, "no identification; check the head's position and `baudrate`"
        ):
            identification = await self._next(IdentificationFinder().feed)
        await self._change_speed(identification)
        readouts = ReadoutFinder(self.counters)
        errors = self.counters.errors
        async with self._deadline(_READOUT_DEADLINE_S, "the readout did not end"):
            while True:
                async with self._deadline(SILENCE_DEADLINE_S, "the meter fell silent before the readout's end"):
                    data = await line.read()
                for readout in readouts.feed(data):
                    return meter_in(identification, readout, self.counters)
                if self.counters.errors > errors:
                    raise _ReadoutError(self.counters.last_error)

    async def _change_speed(self, identification: Identification) -> None:
        proposed = identification.acknowledged_baudrate()
        if proposed is None:
            own = identification.own_baudrate()
            if own is not None:
                self._line.change_baudrate(own)
            return
        baudrate = proposed if proposed <= self._settings.baudrate_max else _SLOWEST_BAUDRATE
        answer = acknowledgement(baudrate)
        await self._line.write(answer)
        # The port may change its speed only when the answer has left it, and must before the meter reacts (200 ms).
        await asyncio.sleep((len(answer) + 1) * _BITS_PER_CHARACTER / self._settings.baudrate)
        self._line.change_baudrate(baudrate)

    async def _next(self, feed: Callable[[bytes], T | None]) -> T:
        while True:
            found = feed(await self._line.read())
            if found is not None:
                return found

    async def _rest_until(self, due_s: float) -> None:
        """Wait; what the meter says unasked is dropped, and a port that is lost is noticed at once."""
        try:
            async with asyncio.timeout_at(due_s):
                while True:
                    self.counters.bytes_dropped += len(await self._line.read())
        except TimeoutError:
            return

    @asynccontextmanager
    async def _deadline(self, seconds: float, what: str) -> AsyncIterator[None]:
        """What is not done in time is a counted error and a failed readout."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            self.counters.errors += 1
            self.counters.last_error = f"{what} (within {seconds:g} s)"
            raise _ReadoutError(self.counters.last_error) from error
