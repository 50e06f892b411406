"""Meters on a wired M-Bus (EN 13757-2 and -3), behind a level converter or a TCP gateway.

A meter on this bus only answers; the gateway is the bus's one master and asks each meter in turn.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from devices.driver import DeviceError, Origin, WireCounters, WireRole
from devices.meter.mbus_address import MeterAddress, parse_address
from devices.meter.mbus_readout import TRIES, Readout
from devices.meter.mbus_registers import DEFAULT_PATTERNS, meter_of
from devices.meter.mbus_telegram import MBusError
from devices.meter.registers import RegisterFilter, meter_readings, registers_setting
from devices.wire.bus import Bus
from devices.wire.line import check_line_port, line_at
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading


@dataclass(frozen=True)
class MBusSettings:
    """Keys of a `[[device]]` with `driver = "mbus"`."""

    port: str = setting(
        doc="the serial port of the level converter, or tcp://host:port of a gateway", check=check_line_port
    )
    address: MeterAddress = setting(
        doc="primary address, or secondary address as text, such as 11490378-ACW-0e-16", parse=parse_address
    )
    baudrate: int = setting(
        2400, doc="bit/s on the bus, of all its meters; 8 data bits, even parity", minimum=300, maximum=38_400
    )
    poll_s: float = setting(900.0, doc="seconds from one readout to the next", minimum=0.1, maximum=86_400)
    answer_s: float = setting(
        0.5, doc="seconds within which an answer begins; more over slow networks", minimum=0.1, maximum=10
    )
    registers: tuple[str, ...] = registers_setting(DEFAULT_PATTERNS)


class MBus:
    """Driver of one meter on an M-Bus: one `meter.reading` a readout; `Addressed`."""

    Settings: ClassVar[type[MBusSettings]] = MBusSettings
    wire_role: ClassVar[WireRole] = WireRole.SOLE_MASTER

    def __init__(self, device: str, settings: MBusSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._settings = settings
        self._chosen = RegisterFilter(settings.registers)
        self._bus: Bus | None = None

    @staticmethod
    def address(settings: MBusSettings) -> str:
        """The meter's address on its bus."""
        return settings.address.text

    async def open(self) -> None:
        """Open the port, or join those who have it open. Raises DeviceError."""
        await self.close()
        settings = self._settings
        line = line_at(settings.port, settings.baudrate, bytesize=8, parity="E")
        self._bus = await Bus.join(line, settings.baudrate)

    async def readings(self) -> AsyncIterator[Reading]:
        """A readout now, then every `poll_s`. Raises DeviceError when the port is lost or the meter does not answer."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            bus = self._opened()
            await bus.rest(due_s - loop.time())
            for reading in await self._read(bus):
                self.counters.readings += 1
                yield reading
            due_s = max(due_s + self._settings.poll_s, loop.time())

    async def close(self) -> None:
        """Leave the port; the last one closes it. Idempotent."""
        bus, self._bus = self._bus, None
        if bus is not None:
            await bus.leave()

    async def _read(self, bus: Bus) -> list[Reading]:
        settings = self._settings
        readout = Readout(settings.address, settings.baudrate, settings.answer_s, self.counters)
        try:
            telegrams = await readout.read(bus)
        except MBusError as error:
            self._count(f"{settings.address.text}: {error}")
            return []
        if telegrams is None:
            raise DeviceError(
                f"port {settings.port}: {settings.address.text} gave no whole answer to {TRIES} requests; check "
                "`address`, `baudrate`, wiring and the level converter's power"
            )
        meter = meter_of(telegrams, self.counters)
        found = list(meter_readings(meter, self._chosen, "crc", Origin.CHECKSUM))
        if not found:
            told = ", ".join(register.obis for register in meter.registers)
            self._count(f"{settings.address.text}: none of `registers` is in its telegram (it tells {told or 'none'})")
        return found

    def _opened(self) -> Bus:
        if self._bus is None:
            raise DeviceError(f"port {self._settings.port}: is not open; open it first")
        return self._bus

    def _count(self, what: str) -> None:
        self.counters.errors += 1
        self.counters.last_error = what
