"""Simulated Norwegian HAN lists of three makers, from their interface descriptions (NVE lists 1, 2 and 3)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

_WATT, _VAR, _WATT_HOUR, _VAR_HOUR, _AMPERE, _VOLT = 27, 29, 30, 32, 33, 35
_FLAG = b"\x7e"
_LLC = b"\xe6\xe7\x00"


def checksum(data: bytes) -> bytes:
    """The frame check sequence of ISO 13239, bit by bit, low byte first."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return (register ^ 0xFFFF).to_bytes(2, "little")


def hdlc(information: bytes, addresses: bytes, control: int) -> bytes:
    """One unsegmented frame between its flags."""
    head_size = 2 + len(addresses) + 1 + 2
    size = head_size + len(information) + 2
    head = (0xA000 | size).to_bytes(2, "big") + addresses + bytes([control])
    body = head + checksum(head) + information
    return _FLAG + body + checksum(body) + _FLAG


def double_long_unsigned(number: int) -> bytes:
    """32 bits."""
    return b"\x06" + number.to_bytes(4, "big")


def octet_string(octets: bytes) -> bytes:
    """Shorter than 128 bytes."""
    return bytes([0x09, len(octets)]) + octets


def visible_string(text: str) -> bytes:
    """Shorter than 128 characters."""
    return bytes([0x0A, len(text)]) + text.encode("ascii")


def date_time(now: datetime) -> bytes:
    """Twelve bytes; deviation and hundredths unspecified, status 0."""
    head = now.year.to_bytes(2, "big") + bytes([now.month, now.day, now.isoweekday()])
    return head + bytes([now.hour, now.minute, now.second, 0xFF, 0x80, 0x00, 0x00])


def code(text: str) -> bytes:
    """`1-0:1.8.0` as an octet string of six bytes; F is 255."""
    media, _, rest = text.partition(":")
    numbers = [*map(int, media.split("-")), *map(int, rest.split(".")), 255]
    return octet_string(bytes(numbers))


class HanFrames:
    """Registers that only rise. Every `list_3_every`-th frame is the hourly list 3, those between lists 1 and 2."""

    MAKERS = ("aidon", "kaifa", "kamstrup")

    def __init__(self, seed: int, maker: str = "aidon", list_3_every: int = 4) -> None:
        self._random = random.Random(seed)
        self._maker, self._list_3_every = maker, list_3_every
        self.meter_id = f"{7_359_990_000_000_000 + seed:016d}"
        self._imported = self._random.randrange(10_000_000)
        self._exported = self._random.randrange(1_000_000)
        self._count = 0

    def frame(self, now: datetime) -> tuple[bytes, list[dict[str, Any]]]:
        """The next list at `now`, and the `meter.reading` data that a gateway is to record of it by default."""
        kind = 3 if self._count % self._list_3_every == 0 else 1 + self._count % 2
        self._count += 1
        self._imported += self._random.randint(0, 9)
        self._exported += self._random.randint(0, 2)
        power = self._random.randrange(9000)
        body = {"aidon": self._aidon, "kaifa": self._kaifa, "kamstrup": self._kamstrup}[self._maker](kind, power, now)
        return self._framed(body, now), [self._reading(now)] if kind == 3 else []  # noqa: PLR2004 - the hourly list

    def _framed(self, body: bytes, now: datetime) -> bytes:
        invoke = b"\x0f\x40\x00\x00\x00"
        if self._maker == "aidon":
            return hdlc(_LLC + invoke + b"\x00" + body, b"\x41\x08\x83", 0x13)
        if self._maker == "kaifa":
            return hdlc(_LLC + invoke + octet_string(date_time(now)) + body, b"\x01\x02\x01", 0x10)
        return hdlc(_LLC + invoke + octet_string(date_time(now))[1:] + body, b"\x2b\x21", 0x13)

    def _reading(self, now: datetime) -> dict[str, Any]:
        factor, channel = (1, 0) if self._maker == "kaifa" else (10, int(self._maker == "kamstrup"))
        registers = [
            {"obis": f"1-{channel}:{code}", "value": str(count * factor), "unit": "Wh"}
            for code, count in (("1.8.0", self._imported), ("2.8.0", self._exported))
        ]
        return {
            "meter_id": self.meter_id,
            "meter_time": f"{now:%Y-%m-%dT%H:%M:%S}",
            "integrity": "crc",
            "registers": registers,
        }

    def _aidon(self, kind: int, power: int, now: datetime) -> bytes:
        lines = [_scaled("1-0:1.7.0", double_long_unsigned(power), 0, _WATT)]
        if kind > 1:
            lines = [
                _pair("1-0:0.2.129", visible_string("AIDON_V0001")),
                _pair("0-0:96.1.0", visible_string(self.meter_id)),
                _pair("0-0:96.1.7", visible_string("6525")),
                *lines,
                _scaled("1-0:2.7.0", double_long_unsigned(0), 0, _WATT),
                _scaled("1-0:4.7.0", double_long_unsigned(power // 9), 0, _VAR),
                _scaled("1-0:31.7.0", b"\x10" + (power // 23).to_bytes(2, "big", signed=True), -1, _AMPERE),
                _scaled("1-0:32.7.0", b"\x12" + (2274).to_bytes(2, "big"), -1, _VOLT),
            ]
        if kind == 3:  # noqa: PLR2004 - the hourly list
            lines += [
                _pair("0-0:1.0.0", octet_string(date_time(now))),
                _scaled("1-0:1.8.0", double_long_unsigned(self._imported), 1, _WATT_HOUR),
                _scaled("1-0:2.8.0", double_long_unsigned(self._exported), 1, _WATT_HOUR),
                _scaled("1-0:3.8.0", double_long_unsigned(5), 1, _VAR_HOUR),
            ]
        return bytes([0x01, len(lines)]) + b"".join(lines)

    def _kaifa(self, kind: int, power: int, now: datetime) -> bytes:
        if kind == 1:
            return b"\x02\x01" + double_long_unsigned(power)
        values = [
            octet_string(b"KFM_001"),
            octet_string(self.meter_id.encode()),
            octet_string(b"MA304H3E"),
            *map(double_long_unsigned, (power, 0, 0, power // 9, 5012, 1834, 6023, 2304, 0, 2317)),
        ]
        if kind == 3:  # noqa: PLR2004 - the hourly list
            values.append(octet_string(date_time(now)))
            values += map(double_long_unsigned, (self._imported, self._exported, 7, 70_000))
        return bytes([0x02, len(values)]) + b"".join(values)

    def _kamstrup(self, kind: int, power: int, now: datetime) -> bytes:
        values = [
            visible_string("Kamstrup_V0001"),
            *(code("1-1:0.0.5"), visible_string(self.meter_id)),
            *(code("1-1:96.1.1"), visible_string("6841121BN243101040")),
            *(code("1-1:1.7.0"), double_long_unsigned(power)),
            *(code("1-1:31.7.0"), double_long_unsigned(power // 2)),
            *(b"\x00", b"\x00"),
            *(code("1-1:32.7.0"), b"\x12" + (230).to_bytes(2, "big")),
        ]
        if kind == 3:  # noqa: PLR2004 - the hourly list
            values += [code("0-1:1.0.0"), octet_string(date_time(now))]
            values += [code("1-1:1.8.0"), double_long_unsigned(self._imported)]
            values += [code("1-1:2.8.0"), double_long_unsigned(self._exported)]
        return bytes([0x02, len(values)]) + b"".join(values)


def _pair(name: str, value: bytes) -> bytes:
    return b"\x02\x02" + code(name) + value


def _scaled(name: str, value: bytes, scaler: int, unit: int) -> bytes:
    scaler_unit = b"\x02\x02\x0f" + scaler.to_bytes(1, "big", signed=True) + bytes([0x16, unit])
    return b"\x02\x03" + code(name) + value + scaler_unit
