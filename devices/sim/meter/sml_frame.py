"""A simulated German electricity meter that pushes SML 1.04 in transport protocol version 1."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

_WH, _W, _V = 30, 27, 35
_ABSENT = b"\x01"
_SKIPPED_UNSIGNED = b"\x62\x00"

_CRC_TABLE = []
for _index in range(256):
    _entry = _index
    for _ in range(8):
        _entry = (_entry >> 1) ^ 0x8408 if _entry & 1 else _entry >> 1
    _CRC_TABLE.append(_entry)


def checksum(data: bytes) -> bytes:
    """The frame check sequence of DIN EN 62056-46, low byte first."""
    register = 0xFFFF
    for byte in data:
        register = register >> 8 ^ _CRC_TABLE[register & 0xFF ^ byte]
    return (register ^ 0xFFFF).to_bytes(2, "little")


def octets(value: bytes) -> bytes:
    """An octet string; longer than 14 bytes it takes two type-length bytes."""
    size = len(value) + 1
    if size <= 15:  # noqa: PLR2004 - what four bits hold
        return bytes((size,)) + value
    size += 1
    return bytes((0x80 | size >> 4, size & 0x0F)) + value


def unsigned(value: int) -> bytes:
    """An unsigned integer of as few bytes as it needs."""
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes((0x60 | size + 1,)) + value.to_bytes(size, "big")


def signed(value: int) -> bytes:
    """A signed integer of as few bytes as it needs with its sign bit."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return bytes((0x50 | size + 1,)) + value.to_bytes(size, "big", signed=True)


def sequence(*items: bytes) -> bytes:
    """A list."""
    return bytes((0x70 | len(items),)) + b"".join(items)


class SmlFrames:
    """Registers that only rise; a power that is often negative."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        # The identification ends in 1b1b1b1b for seed 0x1b1b1b1b: the escape sequence in the middle of a file.
        self.server_id = b"\x0a\x01WSD\x00" + seed.to_bytes(4, "big")
        self._imported = self._random.randrange(1 << 33)
        self._exported = self._random.randrange(1 << 20)
        self._seconds = self._random.randrange(1 << 24)
        self._transaction = 0

    def frame(self, _now: datetime) -> tuple[bytes, list[dict[str, Any]]]:
        """The next push, and the `meter.reading` data a gateway is to record of it."""
        self._seconds += 1
        power = self._random.choice((0, 1, -1, 127, -128, 35_624, -29_912, self._random.randint(-2_000_000, 2_000_000)))
        if power >= 0:
            self._imported += self._random.randint(0, 9)
        else:
            self._exported += self._random.randint(0, 9)
        registers = [
            ("1-0:1.8.0", f"{self._imported // 10}.{self._imported % 10}", "Wh"),
            ("1-0:2.8.0", f"{self._exported * 10}", "Wh"),
            ("1-0:16.7.0", _hundredths(power), "W"),
        ]
        entries = sequence(
            _entry_of((1, 0, 96, 50, 1, 1), octets(b"WSD")),
            _entry_of((1, 0, 96, 1, 0, 255), octets(self.server_id)),
            _entry_of((1, 0, 1, 8, 0, 255), unsigned(self._imported), _WH, -1),
            _entry_of((1, 0, 2, 8, 0, 255), unsigned(self._exported), _WH, 1),
            _entry_of((1, 0, 16, 7, 0, 255), signed(power), _W, -2),
            _entry_of((1, 0, 32, 7, 0, 255), unsigned(2299), _V, -1),
        )
        server, time = octets(self.server_id), sequence(unsigned(1), unsigned(self._seconds))
        response = sequence(_ABSENT, server, octets(b"\x01\x00\x62\x0a\xff\xff"), time, entries, _ABSENT, _ABSENT)
        opened = sequence(_ABSENT, _ABSENT, octets(b"\x00\x01"), server, _ABSENT, _ABSENT)
        file = self._message(0x0101, opened) + self._message(0x0701, response) + self._message(0x0201, b"\x71\x01")
        truth = {
            "meter_id": self.server_id.hex(),
            "meter_time": str(self._seconds),
            "integrity": "crc",
            "registers": [{"obis": code, "value": value, "unit": unit} for code, value, unit in registers],
        }
        return transport(file), [truth]

    def _message(self, tag: int, content: bytes) -> bytes:
        self._transaction += 1
        head = octets(self._transaction.to_bytes(4, "big")) + _SKIPPED_UNSIGNED + _SKIPPED_UNSIGNED
        body = b"\x76" + head + sequence(b"\x63" + tag.to_bytes(2, "big"), content)
        return body + b"\x63" + checksum(body) + b"\x00"


def transport(file: bytes) -> bytes:
    """A file as it goes over the wire: escaped, padded, with checksum."""
    escape = b"\x1b" * 4
    padding = -len(file) % 4
    frame = escape + b"\x01" * 4 + file.replace(escape, escape * 2) + bytes(padding) + escape + bytes((0x1A, padding))
    return frame + checksum(frame)


def _entry_of(name: tuple[int, ...], value: bytes, unit: int | None = None, scaler: int | None = None) -> bytes:
    unit_item = _ABSENT if unit is None else unsigned(unit)
    scaler_item = _ABSENT if scaler is None else signed(scaler)
    return sequence(octets(bytes(name)), _ABSENT, _ABSENT, unit_item, scaler_item, value, _ABSENT)


def _hundredths(count: int) -> str:
    sign = "-" if count < 0 else ""
    return f"{sign}{abs(count) // 100}.{abs(count) % 100:02d}"
