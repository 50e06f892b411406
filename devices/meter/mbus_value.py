"""The data of an M-Bus record: bytes in, exact value out (EN 13757-3, annexes A and B)."""

from __future__ import annotations

import struct
from decimal import Decimal

Value = Decimal | str | bytes | None
"""A number; a text or a time as text; raw bytes; None where the meter says that it has no valid value."""

BINARY_SIZES = {0x1: 1, 0x2: 2, 0x3: 3, 0x4: 4, 0x6: 6, 0x7: 8}
BCD_SIZES = {0x9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}
REAL, VARIABLE = 0x5, 0xD
REAL_BYTES = 4
NO_DATA = (0x0, 0x8)
"""Data fields of a DIF: nothing, and "selection for readout"."""

_TEXT_MAX = 0xBF
_POSITIVE_BCD, _NEGATIVE_BCD = range(0xC0, 0xCA), range(0xD0, 0xDA)
_BINARY, _BINARY_FOURS = range(0xE0, 0xF0), range(0xF0, 0xF5)
_BINARY_48, _BINARY_64 = 0xF5, 0xF6

# Old meters with type F know no centuries: annex A has a master take their years 00 to 80 for 2000 to 2080.
_CENTURY_TURNS_AFTER = 80
_SHORTEST_FLOAT32_DIGITS = range(1, 10)


def integer(raw: bytes, *, signed: bool = True) -> Decimal:
    """Type B (signed) or C and D (unsigned), least significant byte first."""
    return Decimal(int.from_bytes(raw, "little", signed=signed))


def scaled(number: Decimal, exponent: int) -> Decimal:
    """`number` times ten to the power of `exponent`; an exponent above 0 is multiplied out, trailing zeros are kept."""
    return number * 10**exponent if exponent > 0 else number.scaleb(exponent)


def bcd(raw: bytes) -> Decimal | str:
    """Type A: two digits a byte, least significant byte first; Fh in the first digit is a minus.

    Other digits above 9 tell an error on the meter's display (annex B): then the value is those digits as text.
    """
    digits = raw[::-1].hex()
    number = f"-{digits[1:]}" if digits.startswith("f") and len(digits) > 1 else digits
    if number.removeprefix("-").isdecimal():
        return Decimal(number)
    return digits.upper()


def real(raw: bytes) -> Decimal | None:
    """Type H: IEEE 754 of 32 bits, as the shortest decimal that is read back as the same bits; None for no number."""
    (number,) = struct.unpack("<f", raw)
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is the one that differs
        return None
    return next(
        Decimal(text)
        for digits in _SHORTEST_FLOAT32_DIGITS
        if struct.pack("<f", _representable(text := f"{number:.{digits}g}")) == raw
    )


def _representable(text: str) -> float:
    # The largest float32 values, rounded up to few digits, are beyond it: struct refuses what is not infinite.
    number = float(text)
    return number if abs(number) <= 3.4028235e38 else float("inf")  # noqa: PLR2004 - the largest float32


def variable_size(length: int) -> int | None:
    """How many bytes follow the length byte (LVAR) of variable data; None where the standard reserves it."""
    if length <= _TEXT_MAX:
        return length
    for lengths in (_POSITIVE_BCD, _NEGATIVE_BCD, _BINARY):
        if length in lengths:
            return length - lengths.start
    if length in _BINARY_FOURS:
        return 4 * (length - 0xEC)
    return {_BINARY_48: 48, _BINARY_64: 64}.get(length)


def variable(length: int, raw: bytes) -> Decimal | str | bytes:
    """Variable data by its length byte: text (ISO 8859-1, last character first), BCD, or a binary number as bytes.

    The bytes are in the order of the wire: least significant first.
    """
    if length <= _TEXT_MAX:
        return raw[::-1].decode("latin-1")
    if length not in _POSITIVE_BCD and length not in _NEGATIVE_BCD:
        return raw
    number = bcd(raw) if raw else Decimal(0)
    if isinstance(number, Decimal) and length in _NEGATIVE_BCD:
        return -number
    return number


def moment(raw: bytes) -> str | None:
    """A time as text: types G (2 bytes, date), J (3, time of day), F (4, to the minute) and I (6, to the second).

    ISO 8601 without zone; `S` behind it where the meter says summer time, ` invalid` where it says that its time is.
    Days and months of 0 (each one) stay 00. None where all bits are set: no time.
    """
    if raw == b"\xff" * len(raw):
        return None
    if len(raw) == 2:  # noqa: PLR2004 - type G
        return _date(raw[0], raw[1], 1)
    if len(raw) == 3:  # noqa: PLR2004 - type J
        return f"{raw[2] & 0x1F:02}:{raw[1] & 0x3F:02}:{raw[0] & 0x3F:02}"
    if len(raw) == 4:  # noqa: PLR2004 - type F
        hundreds = raw[1] >> 5 & 3
        if hundreds == 0 and (raw[2] >> 5 | raw[3] >> 1 & 0x78) <= _CENTURY_TURNS_AFTER:
            hundreds = 1
        text = f"{_date(raw[2], raw[3], hundreds)}T{raw[1] & 0x1F:02}:{raw[0] & 0x3F:02}"
        summer, invalid = raw[1] & 0x80, raw[0] & 0x80
    else:
        time = f"{raw[2] & 0x1F:02}:{raw[1] & 0x3F:02}:{raw[0] & 0x3F:02}"
        text = f"{_date(raw[3], raw[4], 1)}T{time}"
        summer, invalid = raw[0] & 0x40, raw[1] & 0x80
    return text + ("S" if summer else "") + (" invalid" if invalid else "")


MOMENT_SIZES = (2, 3, 4, 6)
"""Bytes of the types that `moment` reads."""


def _date(day: int, month: int, hundreds: int) -> str:
    year = 1900 + 100 * hundreds + (day >> 5 | month >> 1 & 0x78)
    return f"{year:04}-{month & 0x0F:02}-{day & 0x1F:02}"
