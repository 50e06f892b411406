"""Acme meters on a serial port; they send a telegram every second by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from devices.driver import Origin, Reading, WireCounters, WireRole
from devices.wire.serial_line import SerialLine
from ledger_sync.proof.settings import setting

from .telegram import AcmeParser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .telegram import AcmeTelegram


@dataclass(frozen=True)
class AcmeSettings:
    """Keys of a `[[device]]` with `driver = "acme-meter"`."""

    port: str = setting(doc="the serial port, best a path under /dev/serial/by-id", minimum=1)
    baudrate: int = setting(9600, doc="bit/s", minimum=300, maximum=921_600)


class AcmeMeter:
    """Driver of an Acme meter: one `meter.reading` a telegram."""

    Settings: ClassVar[type[AcmeSettings]] = AcmeSettings
    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY

    def __init__(self, device: str, settings: AcmeSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._line = SerialLine(settings.port, settings.baudrate, bytesize=8, parity="N")
        self._parser = AcmeParser(self.counters)

    async def open(self) -> None:
        """Open the port. Raises DeviceError."""
        self._parser = AcmeParser(self.counters)
        await self._line.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """A reading a telegram. Raises DeviceError when the port is lost."""
        while True:
            for telegram in self._parser.feed(await self._line.read()):
                self.counters.readings += 1
                yield _reading(telegram)

    async def close(self) -> None:
        """Close the port; idempotent."""
        await self._line.close()


def _reading(telegram: AcmeTelegram) -> Reading:
    registers = [
        {"obis": "1-0:1.8.0", "value": telegram.energy_wh, "unit": "Wh"},
        {"obis": "1-0:16.7.0", "value": telegram.power_w, "unit": "W"},
    ]
    data = {"meter_id": f"ACME{telegram.serial}", "meter_time": None, "integrity": "crc", "registers": registers}
    return Reading("meter.reading", data, Origin.CHECKSUM)
