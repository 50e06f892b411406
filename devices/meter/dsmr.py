"""Smart meters with a P1 port: Dutch DSMR 2.2 to 5, Belgian and Luxembourgish e-MUCS, Swedish and others.

The meter talks by itself (the adapter holds the data-request line); the driver only listens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from devices.driver import Origin, WireCounters, WireRole
from devices.meter.dsmr_telegram import Line, TelegramParser
from devices.meter.registers import (
    Meter,
    Register,
    RegisterFilter,
    can_be_signed,
    meter_readings,
    registers_setting,
)
from devices.wire.serial_line import SerialLine
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from devices.driver import Reading
    from devices.meter.dsmr_telegram import Telegram

_METER_ID = re.compile(r"[\x21-\x7e]{1,64}")
_METER_TIME = re.compile(r"[0-9]{6,14}[A-Z]?")
# Equipment identifiers by precedence: DSMR main meter and Belgian meters 96.1.1, Dutch sub-meters 96.1.0, EAN 96.1.2.
_MAIN_ID_CODES = (":96.1.1", ":96.1.0", ":96.1.2")
_SUB_ID_CODES = (":96.1.0", ":96.1.1", ":96.1.2")
_CLOCK = "0-0:1.0.0"
# Gas of DSMR 2.2 and 3: (time)(status)(period)(count)(OBIS)(unit)(number), over two rows.
_OLD_GAS = ":24.3.0"
_OLD_GAS_VALUES = 7


@dataclass(frozen=True)
class DsmrSettings:
    """Keys of a `[[device]]` with `driver = "dsmr"`."""

    port: str = setting(doc="the serial port of the P1 cable, best a path under /dev/serial/by-id", minimum=1)
    baudrate: int = setting(115200, doc="bit/s; DSMR 2.2 and 3: 9600", minimum=300, maximum=921600)
    bytesize: int = setting(8, doc="data bits; DSMR 2.2 to 4: 7", minimum=7, maximum=8)
    parity: str = setting("N", doc="N, E or O; DSMR 2.2 to 4: E", choices=("N", "E", "O"))
    registers: tuple[str, ...] = registers_setting()
    crc_required: bool = setting(default=True, doc="false accepts telegrams without CRC (DSMR 2.2 and 3)")


class Dsmr:
    """Driver of a P1 port: one `meter.reading` a meter and telegram."""

    Settings: ClassVar[type[DsmrSettings]] = DsmrSettings
    wire_role: ClassVar[WireRole] = WireRole.LISTEN_ONLY

    def __init__(self, device: str, settings: DsmrSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._crc_required = settings.crc_required
        self._chosen = RegisterFilter(settings.registers)
        self._line = SerialLine(settings.port, settings.baudrate, settings.bytesize, settings.parity)
        self._parser = TelegramParser(self.counters, crc_required=settings.crc_required)

    async def open(self) -> None:
        """Open the port. Raises DeviceError."""
        self._parser = TelegramParser(self.counters, crc_required=self._crc_required)
        await self._line.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """Readings of every whole telegram. Raises DeviceError when the port is lost."""
        while True:
            for telegram in self._parser.feed(await self._line.read()):
                integrity, origin = ("crc", Origin.CHECKSUM) if telegram.checked else ("none", Origin.UNPROTECTED)
                for meter in meters_in(telegram, self._chosen, self.counters):
                    for reading in meter_readings(meter, self._chosen, integrity, origin):
                        self.counters.readings += 1
                        yield reading

    async def close(self) -> None:
        """Close the port; idempotent."""
        await self._line.close()


def meters_in(telegram: Telegram, chosen: RegisterFilter, counters: WireCounters) -> Iterator[Meter]:
    """The meters of a telegram in the order of the wire: the main one, then each M-Bus channel (B of the OBIS code).

    Each with its chosen registers, if it has any. One whose value cannot be signed is counted as an error and left out.
    """
    channels: dict[str, list[Line]] = {}
    for line in telegram.lines:
        channels.setdefault(_channel(line.obis), []).append(line)
    main_id = _identifier(channels.get("0", []), _MAIN_ID_CODES) or _printable(telegram.identification) or "unknown"
    for channel, lines in channels.items():
        if channel == "0":
            meter_id, time = main_id, _time(next((one for one in lines if one.obis == _CLOCK), None))
        else:
            # A sub-meter that tells no identifier is still told apart, by the main meter's and its channel.
            meter_id = _identifier(lines, _SUB_ID_CODES) or f"{main_id[:56]}/0-{channel}"
            time = next((_time(line) for line in lines if ":24." in line.obis and _time(line)), None)
        registers = tuple(one for line in lines if (one := _register(line, chosen, counters)) is not None)
        if registers:
            yield Meter(meter_id, time, registers)


def _channel(obis: str) -> str:
    """The M-Bus channel of a line, "0" for the main meter: B where A is 0 (medium: none), as in 0-1:24.2.1."""
    return obis[2:].partition(":")[0] if obis.startswith("0-") else "0"


def _identifier(lines: list[Line], codes: tuple[str, ...]) -> str | None:
    for code in codes:
        text = next((line.values[-1].text for line in lines if line.obis.endswith(code)), "")
        if _printable(text):
            return text
    return None


def _printable(text: str) -> str | None:
    return text if _METER_ID.fullmatch(text) else None


def _time(line: Line | None) -> str | None:
    text = "" if line is None else line.values[0].text
    return text if _METER_TIME.fullmatch(text) else None


def _register(line: Line, chosen: RegisterFilter, counters: WireCounters) -> Register | None:
    """The register of a line: `(number*unit)`, alone or after its capture time; None for any other line."""
    if line.obis.endswith(_OLD_GAS):
        line = _with_one_value(line)
    if not chosen.matches(line.obis):
        return None
    values = line.values
    number = values[-1].number
    if number is None or len(values) > 2:  # noqa: PLR2004 - longer ones are logs and profiles
        return None
    if not can_be_signed(number):
        counters.errors += 1
        counters.last_error = f"{line.obis} has more digits than can be signed: {values[-1].text}"
        return None
    return Register(line.obis, number, values[-1].unit)


def _with_one_value(old_gas: Line) -> Line:
    """The line as later standards write it, if it is whole."""
    values = old_gas.values
    if len(values) != _OLD_GAS_VALUES:
        return old_gas
    return Line(values[4].text, f"({values[6].text}*{values[5].text})")
