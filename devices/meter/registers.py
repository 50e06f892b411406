"""Registers of a meter: which are recorded, and the `meter.reading` made of them (DESIGN 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from devices.driver import Origin, Reading
from ledger_sync.proof import cbor
from ledger_sync.proof.errors import CborError
from ledger_sync.proof.event_types import SETTLING_DATA_BYTES_MAX
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

DEFAULT_PATTERNS = ("1.8.x", "2.8.x", "16.7.0", "24.2.x")
"""Energy imported and exported, power now, and the total of a sub-meter (gas, water, heat)."""

_PATTERN = re.compile(r"(?:(?:\d{1,3}|x)-(?:\d{1,3}|x):)?(?:\d{1,3}|x)\.(?:\d{1,3}|x)\.(?:\d{1,3}|x)")

# No encoded reading is larger than this and its texts, no row of it than that and its texts: so most are not encoded
# to learn that they fit. Of a row: one byte of map, names of 5, 6 and 5, heads of texts of 3 each, a decimal of 12.
_READING_BYTES_MAX = 55
_ROW_BYTES_MAX = 35


@dataclass(frozen=True, slots=True)
class Register:
    """One number of a meter: OBIS code `A-B:C.D.E`, exact value, unit as text."""

    obis: str
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Meter:
    """What one meter said in one telegram; registers in the order of the wire.

    `time` is the meter's own clock as text, untouched; None if it told none.
    """

    id: str
    time: str | None
    registers: tuple[Register, ...]


def check_pattern(pattern: str) -> str | None:
    """What is wrong with a register pattern of the settings, if anything."""
    if _PATTERN.fullmatch(pattern):
        return None
    return f"is {pattern!r}; must look like 1.8.x or 1-0:1.8.0, where x stands for any number"


def registers_setting(default: tuple[str, ...] | None = DEFAULT_PATTERNS) -> Any:
    """The settings field `registers`: which of a meter's registers are recorded."""
    doc = "registers to record, as C.D.E or A-B:C.D.E; x is any number"
    return setting(default, doc=doc, check=check_pattern, minimum=1)


class RegisterFilter:
    """The registers that match any of `patterns`: `C.D.E` or `A-B:C.D.E`, with x for any number."""

    def __init__(self, patterns: Sequence[str]) -> None:
        alternatives = "|".join(re.escape(one).replace("x", r"\d{1,3}") for one in patterns)
        self._full = re.compile(rf"(?:\d{{1,3}}-\d{{1,3}}:)?(?:{alternatives})" if patterns else r"(?!)")

    def matches(self, obis: str) -> bool:
        """Whether the register with this OBIS code is recorded."""
        return self._full.fullmatch(obis) is not None


def can_be_signed(value: Decimal) -> bool:
    """Whether a value fits CBOR tag 4 as events carry it (DESIGN 4): exponent from -18, digits within int64."""
    try:
        cbor.decimal_fraction(value)
    except CborError:
        return False
    return True


def meter_readings(meter: Meter, chosen: RegisterFilter, integrity: str, origin: Origin) -> Iterator[Reading]:
    """The `meter.reading` of one meter in one telegram; none when no register is chosen.

    An event that settles holds at most 300 bytes of data. A telegram with more registers than that gives further
    readings of the same meter and time, rather than a reading that is refused as a whole.
    """
    rows: list[dict[str, Any]] = []
    empty_bytes_max = _READING_BYTES_MAX + _text_bytes_max(meter.id) + _text_bytes_max(meter.time or "")
    bytes_max = empty_bytes_max
    for register in meter.registers:
        if not chosen.matches(register.obis):
            continue
        row = {"obis": register.obis, "value": register.value, "unit": register.unit}
        row_bytes_max = _ROW_BYTES_MAX + _text_bytes_max(register.obis) + _text_bytes_max(register.unit)
        if (
            rows
            and bytes_max + row_bytes_max > SETTLING_DATA_BYTES_MAX
            and _is_too_large(meter, integrity, [*rows, row])
        ):
            yield Reading("meter.reading", _data(meter, integrity, rows), origin)
            rows, bytes_max = [], empty_bytes_max
        rows.append(row)
        bytes_max += row_bytes_max
    if rows:
        yield Reading("meter.reading", _data(meter, integrity, rows), origin)


def _text_bytes_max(text: str) -> int:
    return len(text) if text.isascii() else 4 * len(text)


def _is_too_large(meter: Meter, integrity: str, rows: list[dict[str, Any]]) -> bool:
    return len(cbor.encode(_data(meter, integrity, rows))) > SETTLING_DATA_BYTES_MAX


def _data(meter: Meter, integrity: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"meter_id": meter.id, "meter_time": meter.time, "integrity": integrity, "registers": rows}
