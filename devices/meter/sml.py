"""German electricity meters (EDL21, moderne Messeinrichtung) that push SML on their optical interface.

The meter talks by itself, every one to four seconds; the driver only listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from devices.driver import Origin, WireCounters, WireRole
from devices.meter.registers import (
    Meter,
    Register,
    RegisterFilter,
    can_be_signed,
    meter_readings,
    registers_setting,
)
from devices.meter.sml_file import parse_file
from devices.meter.sml_transport import SmlTransport
from devices.wire.serial_line import SerialLine
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading
    from devices.meter.sml_file import SmlList

# Where a meter tells its identity, if the list names no server: device identification by newer and older meters.
_IDENTITY_CODES = ("1-0:96.1.0*255", "1-0:0.0.9*255")
_METER_ID_BYTES_MAX = 32


@dataclass(frozen=True)
class SmlSettings:
    """Keys of a `[[device]]` with `driver = "sml"`."""

    port: str = setting(doc="the serial port of the optical head, best a path under /dev/serial/by-id", minimum=1)
    baudrate: int = setting(9600, doc="bit/s; some meters: 19200", minimum=300, maximum=921600)
    registers: tuple[str, ...] = registers_setting()


class Sml:
    """Driver of an optical head: one `meter.reading` a list that the meter pushes."""

    Settings: ClassVar[type[SmlSettings]] = SmlSettings
    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY

    def __init__(self, device: str, settings: SmlSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._chosen = RegisterFilter(settings.registers)
        self._line = SerialLine(settings.port, settings.baudrate, bytesize=8, parity="N")
        self._transport = SmlTransport(self.counters)

    async def open(self) -> None:
        """Open the port. Raises DeviceError."""
        self._transport = SmlTransport(self.counters)
        await self._line.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """Readings of every whole frame. Raises DeviceError when the port is lost."""
        while True:
            for file in self._transport.feed(await self._line.read()):
                for response in parse_file(file, self.counters):
                    meter = meter_of(response, self._chosen, self.counters)
                    for reading in meter_readings(meter, self._chosen, "crc", Origin.CHECKSUM):
                        self.counters.readings += 1
                        yield reading

    async def close(self) -> None:
        """Close the port; idempotent."""
        await self._line.close()


def meter_of(response: SmlList, chosen: RegisterFilter, counters: WireCounters) -> Meter:
    """The meter of a list: server id as lowercase hexadecimal digits, its clock as decimal digits, chosen registers.

    A register's value that cannot be signed is counted as an error and left out.
    """
    registers = []
    for line in response.lines:
        obis = line.obis.removesuffix("*255")
        if not line.unit or not isinstance(line.value, Decimal) or not chosen.matches(obis):
            continue
        if can_be_signed(line.value):
            registers.append(Register(obis, line.value, line.unit))
        else:
            counters.errors += 1
            counters.last_error = f"{obis} has more digits than can be signed: {line.value}"
    time = None if response.sensor_time is None else str(response.sensor_time)
    return Meter(_meter_id(response), time, tuple(registers))


def _meter_id(response: SmlList) -> str:
    values = {line.obis: line.value for line in response.lines}
    for identity in (response.server_id, *map(values.get, _IDENTITY_CODES)):
        if isinstance(identity, bytes) and 0 < len(identity) <= _METER_ID_BYTES_MAX:
            return identity.hex()
    return "unknown"
