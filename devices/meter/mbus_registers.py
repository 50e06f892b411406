"""The registers of an M-Bus meter: its records as OBIS codes (EN 13757-1; OMS volume 2, annex A).

A register is a current value: function instantaneous, storage 0, subunit 0; its tariff is E of the code. A record whose
VIFEs change its meaning in a way that no code here stands for is no register: absent is better than wrong.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from devices.meter.mbus_quantity import BASE_CONDITIONS, NEGATIVE_ONLY, POSITIVE_ONLY, SECOND_TABLE, UNCORRECTED
from devices.meter.mbus_telegram import Function, Header, Record
from devices.meter.registers import Meter, Register, can_be_signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.driver import WireCounters
    from devices.meter.mbus_telegram import Telegram

DEFAULT_PATTERNS = (
    *("1-0:1.8.x", "1-0:2.8.x", "4-0:1.0.0", "5-0:1.0.0", "5-0:2.0.0"),
    *("6-0:1.0.0", "6-0:2.0.0", "7-0:3.x.0", "8-0:1.0.0", "9-0:1.0.0"),
)
"""The totals: electricity (which many meters tell by tariff only), heat cost units, cold, heat, gas and water."""

_Codes = dict[tuple[str, tuple[int, ...]], str]
_TARIFF = "{}"

_THERMAL: _Codes = {
    ("energy", ()): "1.0.{}",
    ("volume", ()): "2.0.{}",
    ("power", ()): "8.0.{}",
    ("volume flow", ()): "9.0.{}",
    ("flow temperature", ()): "10.0.{}",
    ("return temperature", ()): "11.0.{}",
    ("temperature difference", ()): "12.0.{}",
}
_WATER: _Codes = {("volume", ()): "1.0.{}", ("volume flow", ()): "2.0.{}"}
_GAS: _Codes = {
    ("volume", ()): "3.0.{}",
    ("volume", (UNCORRECTED,)): "3.0.{}",
    ("volume", (BASE_CONDITIONS,)): "3.2.{}",
}
_HEAT_COST: _Codes = {("units for H.C.A.", ()): "1.0.{}"}
_ELECTRICITY: _Codes = {
    ("energy", ()): "1.8.{}",
    ("energy", (POSITIVE_ONLY,)): "1.8.{}",
    ("energy", (NEGATIVE_ONLY,)): "2.8.{}",
    ("power", ()): "16.7.{}",
    ("power", (POSITIVE_ONLY,)): "1.7.{}",
    ("power", (NEGATIVE_ONLY,)): "2.7.{}",
    ("reactive energy", (POSITIVE_ONLY,)): "3.8.{}",
    ("reactive energy", (NEGATIVE_ONLY,)): "4.8.{}",
    ("current", ()): "11.7.{}",
    ("voltage", ()): "12.7.{}",
    ("frequency", ()): "14.7.{}",
} | {
    (name, (SECOND_TABLE, phase)): f"{first + 20 * (phase - 1)}.7.{_TARIFF}"
    for name, first in (("current", 31), ("voltage", 32), ("power", 36))
    for phase in (1, 2, 3)
}

_MEDIA: dict[int, tuple[int, _Codes]] = {
    0x02: (1, _ELECTRICITY),
    0x03: (7, _GAS),
    0x04: (6, _THERMAL),
    0x06: (9, _WATER),
    0x07: (8, _WATER),
    0x08: (4, _HEAT_COST),
    0x0A: (5, _THERMAL),
    0x0B: (5, _THERMAL),
    0x0C: (6, _THERMAL),
    0x0D: (6, _THERMAL),
    0x15: (9, _WATER),
    0x16: (8, _WATER),
}
"""Medium of the header (EN 13757-7): A of the code, and the codes of its quantities."""

_CLOCK = "date and time"
_TIME_CHARACTERS_MAX = 32


def meter_id(header: Header) -> str:
    """Identification, manufacturer, version and medium: what makes a meter unique (EN 13757-7).

    As in `11490378-ACW-0e-16`, version and medium hexadecimal; the identification alone in the fixed structure.
    """
    if header.manufacturer is None or header.version is None:
        return header.identification
    return f"{header.identification}-{header.manufacturer}-{header.version:02x}-{header.medium:02x}"


def meter_of(telegrams: Sequence[Telegram], counters: WireCounters) -> Meter:
    """The meter of one readout: its registers in the order of the wire, the first of each code.

    A register's value that cannot be signed is counted as an error and left out.
    """
    header = telegrams[0].header
    current = [record for telegram in telegrams for record in telegram.records if _is_current(record)]
    registers: dict[str, Register] = {}
    for record in current:
        obis = _obis(header.medium, record)
        if obis is None or obis in registers or not isinstance(record.value, Decimal):
            continue
        if can_be_signed(record.value):
            registers[obis] = Register(obis, record.value, record.quantity.unit)
        else:
            counters.errors += 1
            counters.last_error = f"{obis} has more digits than can be signed: {record.value}"
    return Meter(meter_id(header), _time(current), tuple(registers.values()))


def _is_current(record: Record) -> bool:
    return record.function is Function.INSTANTANEOUS and record.storage == 0 and record.subunit == 0


def _obis(medium: int, record: Record) -> str | None:
    if medium not in _MEDIA:
        return None
    group, codes = _MEDIA[medium]
    code = codes.get((record.quantity.name, record.quantity.modifiers))
    return None if code is None else f"{group}-0:{code.format(record.tariff)}"


def _time(current: Sequence[Record]) -> str | None:
    return next(
        (
            record.value
            for record in current
            if record.quantity.name == _CLOCK
            and not record.quantity.modifiers
            and isinstance(record.value, str)
            and len(record.value) <= _TIME_CHARACTERS_MAX
        ),
        None,
    )
