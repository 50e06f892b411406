"""The fixed data structure of old M-Bus meters: two counters of 8 digits (EN 13757-3:2004; CI 73h)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from devices.meter.mbus_quantity import UNKNOWN, Quantity
from devices.meter.mbus_value import Value, bcd, integer, scaled

_STATUS_BINARY, _STATUS_STORED = 0x80, 0x40  # bits 7 and 6 of the status byte
_UNIT = 0x3F
_HISTORIC = 0x3E  # the second counter is the first one's at a stored date, in its unit

# The upper two bits of both unit bytes, as the medium codes of the variable structure; mode 2 media are the same ones.
_MEDIA = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0F, 0x03, 0x04, 0x06, 0x07, 0x08, 0x0F)

_DECADES = (
    (0x02, 9, "energy", "Wh", 0),
    (0x0B, 9, "energy", "J", 3),
    (0x14, 9, "power", "W", 0),
    (0x1D, 9, "power", "J/h", 3),
    (0x26, 9, "volume", "m3", -6),
    (0x2F, 9, "volume flow", "m3/h", -6),
)
_UNITS = {
    first + step: Quantity(name, unit, exponent + step)
    for first, count, name, unit, exponent in _DECADES
    for step in range(count)
} | {
    0x38: Quantity("temperature", "Cel", -3),
    0x39: Quantity("units for H.C.A.", "units"),
    0x3F: Quantity("dimensionless"),
}


@dataclass(frozen=True, slots=True)
class Counter:
    """One of the two; `storage` 1 where it was stored at a date instead of being actual."""

    quantity: Quantity
    storage: int
    value: Value


def fixed_counters(data: bytes) -> tuple[int, tuple[Counter, Counter]]:
    """The medium (as in the variable structure) and the counters of 16 bytes of fixed data."""
    status, first, second = data[5], data[6], data[7]
    stored = 1 if status & _STATUS_STORED else 0
    medium = _MEDIA[first >> 6 | second >> 6 << 2]
    historic = second & _UNIT == _HISTORIC
    counters = (
        _counter(status, first & _UNIT, stored, data[8:12]),
        _counter(status, (first if historic else second) & _UNIT, 1 if historic else stored, data[12:16]),
    )
    return medium, counters


def _counter(status: int, unit: int, storage: int, raw: bytes) -> Counter:
    quantity = _UNITS.get(unit, UNKNOWN)
    number = integer(raw) if status & _STATUS_BINARY else bcd(raw)
    return Counter(quantity, storage, scaled(number, quantity.exponent) if isinstance(number, Decimal) else number)
