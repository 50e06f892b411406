"""Electricity meters that push DLMS lists on their customer port (HAN): Norway, and DLMS meters of Sweden and Denmark.

The meter talks by itself, every 2.5 s to one hour; the driver only listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from devices.driver import Origin, WireCounters, WireRole
from devices.meter.dlms_data import DlmsError
from devices.meter.dlms_hdlc import HdlcReader
from devices.meter.dlms_notification import parse_notification
from devices.meter.han_lists import meter_in
from devices.meter.registers import RegisterFilter, meter_readings, registers_setting
from devices.wire.serial_line import SerialLine
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading
    from devices.meter.registers import Meter

DEFAULT_PATTERNS = ("1.8.x", "2.8.x")
"""The totals, which come once an hour. Power comes in other lists: a device that is to record both needs to be told."""

_UNKNOWN = "unknown"


@dataclass(frozen=True)
class HanSettings:
    """Keys of a `[[device]]` with `driver = "han"`."""

    port: str = setting(doc="the serial port of the HAN adapter, best a path under /dev/serial/by-id", minimum=1)
    baudrate: int = setting(2400, doc="bit/s; Swedish and Danish meters: 2400 to 115200", minimum=300, maximum=921600)
    parity: str = setting("E", doc="E, N or O; E is what M-Bus asks for, some makers send N", choices=("N", "E", "O"))
    registers: tuple[str, ...] = registers_setting(DEFAULT_PATTERNS)


class Han:
    """Driver of a HAN port: one `meter.reading` a pushed list that holds a chosen register."""

    Settings: ClassVar[type[HanSettings]] = HanSettings
    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY

    def __init__(self, device: str, settings: HanSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._chosen = RegisterFilter(settings.registers)
        self._line = SerialLine(settings.port, settings.baudrate, bytesize=8, parity=settings.parity)
        self._frames = HdlcReader(self.counters)
        self._last_id: str | None = None

    async def open(self) -> None:
        """Open the port. Raises DeviceError."""
        self._frames = HdlcReader(self.counters)
        self._last_id = None
        await self._line.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """Readings of every whole list. Raises DeviceError when the port is lost."""
        while True:
            for message in self._frames.feed(await self._line.read()):
                meter = self._meter(message)
                if meter is None:
                    continue
                for reading in meter_readings(meter, self._chosen, "crc", Origin.CHECKSUM):
                    self.counters.readings += 1
                    yield reading

    async def close(self) -> None:
        """Close the port; idempotent."""
        await self._line.close()

    def _meter(self, message: bytes) -> Meter | None:
        try:
            meter = meter_in(parse_notification(message), self._last_id, self.counters)
        except DlmsError as error:
            self.counters.errors += 1
            self.counters.last_error = f"a pushed message that cannot be read: {error}"
            return None
        if meter.id != _UNKNOWN:
            self._last_id = meter.id
        return meter
