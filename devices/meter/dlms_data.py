"""DLMS data in A-XDR: bytes in, values out (IEC 62056-6-2, common data types; IEC 61334-6). Sans-I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal

_DEPTH_MAX = 8
_NULL, _ARRAY, _STRUCTURE, _BOOLEAN = 0, 1, 2, 3
_OCTETS, _VISIBLE, _UTF8, _ENUM = 9, 10, 12, 22
_FLOAT32, _FLOAT64 = 23, 24
_SIGNED = {5: 4, 15: 1, 16: 2, 20: 8}
_UNSIGNED = {6: 4, 17: 1, 18: 2, 21: 8}
_FIXED_OCTETS = {25: 12, 26: 5, 27: 4}  # date-time, date, time
_LONG_LENGTH = 0x80
_LENGTH_BYTES_MAX = 2


class DlmsError(Exception):
    """Bytes that are no DLMS message, or one that this driver does not read. The message holds no readings."""


@dataclass(frozen=True, slots=True)
class Enumerated:
    """An `enum`, such as a unit."""

    code: int


Value = None | bool | int | Decimal | bytes | str | Enumerated | list["Value"]
"""Arrays and structures are lists; `octet-string`, `date-time` and the like are bytes; floats are decimals."""


class DataReader:
    """Reads one value after the other. Every call raises DlmsError where the bytes end or mean nothing."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self.position = position

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self._data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self.position + size
        if end > len(self._data):
            raise DlmsError("it ends within a value")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def length(self) -> int:
        """A length as A-XDR writes it: one byte, or from 128 on 8nh and n bytes."""
        first = self.byte()
        if not first & _LONG_LENGTH:
            return first
        size = first & ~_LONG_LENGTH
        if not 0 < size <= _LENGTH_BYTES_MAX:
            raise DlmsError(f"a length of {size} bytes at byte {self.position}")
        return int.from_bytes(self.take(size), "big")

    def value(self, depth: int = 0) -> Value:
        """The value here, with all that it holds."""
        place = self.position
        tag = self.byte()
        if tag in (_ARRAY, _STRUCTURE):
            if depth == _DEPTH_MAX:
                raise DlmsError(f"nested too deeply at byte {place}")
            count = self.length()
            if count > len(self._data) - self.position:
                raise DlmsError(f"more elements than bytes at byte {place}")
            return [self.value(depth + 1) for _ in range(count)]
        if tag == _NULL:
            return None
        if tag == _BOOLEAN:
            return self.byte() != 0
        if tag in _SIGNED:
            return int.from_bytes(self.take(_SIGNED[tag]), "big", signed=True)
        if tag in _UNSIGNED:
            return int.from_bytes(self.take(_UNSIGNED[tag]), "big")
        if tag == _ENUM:
            return Enumerated(self.byte())
        if tag in _FIXED_OCTETS:
            return self.take(_FIXED_OCTETS[tag])
        return self._text_or_real(tag, place)

    def _text_or_real(self, tag: int, place: int) -> Value:
        if tag == _OCTETS:
            return self.take(self.length())
        if tag in (_VISIBLE, _UTF8):
            return self.take(self.length()).decode("utf-8", "replace")
        if tag == _FLOAT32:
            return _shortest(self.take(4), "f", range(1, 10))
        if tag == _FLOAT64:
            return _shortest(self.take(8), "d", range(1, 18))
        raise DlmsError(f"data of the type {tag} at byte {place}, which this driver does not read")


def _shortest(raw: bytes, kind: str, lengths: range) -> Decimal | None:
    """The shortest decimal that is read back as the same bits; None for what is no number."""
    (number,) = struct.unpack(f">{kind}", raw)
    if number - number != 0:  # infinite, or no number
        return None
    for digits in lengths:
        text = f"{number:.{digits}g}"
        try:
            if struct.pack(f">{kind}", float(text)) == raw:
                return Decimal(text)
        except OverflowError:  # rounded up beyond the largest float32
            continue
    return Decimal(number)
