"""A simulated M-Bus slave: requests in, answers out, with the registers of a heat, water or electricity meter.

Written from EN 13757-2 (link) and EN 13757-3 (application, mode 1).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

ACK = b"\xe5"
_NETWORK, _TEST, _BROADCAST = 0xFD, 0xFE, 0xFF
_MORE_RECORDS_FOLLOW = b"\x1f"


def long_frame(control: int, address: int, body: bytes) -> bytes:
    """A long frame; `body` begins with the CI field."""
    inner = bytes([control, address]) + body
    return bytes([0x68, len(inner), len(inner), 0x68]) + inner + bytes([sum(inner) % 256, 0x16])


def packed_digits(number: int, size: int) -> bytes:
    """Binary coded decimal, the lowest two digits first."""
    return bytes.fromhex(f"{number % 10 ** (2 * size):0{2 * size}d}")[::-1]


def minute_of(now: datetime) -> bytes:
    """Compound CP32 (type F)."""
    year = now.year % 100
    hundreds = (now.year - 1900) // 100
    packed = (
        now.minute
        | now.hour << 8
        | (hundreds & 3) << 13
        | now.day << 16
        | (year & 7) << 21
        | now.month << 24
        | year >> 3 << 28
    )
    return packed.to_bytes(4, "little")


@dataclass(frozen=True)
class Answer:
    """What a slave sends. `reading`: the `meter.reading` data of a readout, with the frame that ends it.

    `repeated` when the master asked again for what was sent before.
    """

    frame: bytes
    reading: dict[str, Any] | None = None
    repeated: bool = False


class MBusSlave:
    """One meter; its registers only rise, by a random step each readout."""

    MEDIA = ("heat", "water", "electricity")

    def __init__(self, seed: int, address: int, medium: str = "heat", telegrams: int = 1) -> None:
        self._random = random.Random(seed)
        self.address, self._telegrams_wanted = address, telegrams
        self.identification = seed % 100_000_000
        self._medium = {"heat": 0x04, "water": 0x07, "electricity": 0x02}[medium]
        self._energy = self._random.randrange(1_000_000)
        self._returned = self._random.randrange(1_000_000)
        self._volume = self._random.randrange(10_000_000)
        self._access = 0
        self._selected = False
        self._count_bit: bool | None = None
        self._pending: list[Answer] = []
        self._last: Answer | None = None

    @property
    def meter_id(self) -> str:
        """As a gateway is to tell it."""
        return f"{self.identification:08d}-WSD-01-{self._medium:02x}"

    @property
    def secondary_address(self) -> bytes:
        """Identification, manufacturer `WSD`, version 1, medium."""
        manufacturer = sum((ord(letter) - 64) << shift for letter, shift in zip("WSD", (10, 5, 0), strict=True))
        return packed_digits(self.identification, 4) + manufacturer.to_bytes(2, "little") + bytes([1, self._medium])

    def answer(self, request: bytes, now: datetime) -> Answer | None:
        """The answer to one whole frame; None where a slave keeps silent."""
        if request[0] == 0x68 and request[4:7] == b"\x53\xfd\x52":  # noqa: PLR2004 - a selection
            self._selected = self._is_meant(request[7:15])
            self._count_bit = None
            return Answer(ACK) if self._selected else None
        if request[0] != 0x10 or not self._is_addressed(request[2]):  # noqa: PLR2004 - a short frame
            return None
        if request[1] == 0x40:  # noqa: PLR2004 - SND_NKE
            self._count_bit = None
            if request[2] == _NETWORK:
                self._selected = False
            return Answer(ACK)
        if request[1] & 0x5F == 0x5B:  # noqa: PLR2004 - REQ_UD2
            return self._data(bool(request[1] & 0x20), now)
        return None

    def _is_addressed(self, address: int) -> bool:
        return address in (self.address, _TEST) or (address == _NETWORK and self._selected)

    def _is_meant(self, pattern: bytes) -> bool:
        digits = all(
            wanted in ("f", have)
            for wanted, have in zip(pattern[:4].hex(), self.secondary_address[:4].hex(), strict=True)
        )
        rest = zip(pattern[4:], self.secondary_address[4:], strict=True)
        return digits and all(wanted in (0xFF, have) for wanted, have in rest)

    def _data(self, count_bit: bool, now: datetime) -> Answer:  # noqa: FBT001 - the bit's value
        if count_bit == self._count_bit and self._last is not None:
            return replace(self._last, repeated=True)
        if not self._pending or self._count_bit is None:
            self._pending = self._readout(now)
        self._count_bit = count_bit
        self._last = self._pending.pop(0)
        return self._last

    def _readout(self, now: datetime) -> list[Answer]:
        records, registers = self._registers()
        records.append(b"\x04\x6d" + minute_of(now))
        reading = {
            "meter_id": self.meter_id,
            "meter_time": f"{now:%Y-%m-%dT%H:%M}",
            "integrity": "crc",
            "registers": registers,
        }
        count = min(self._telegrams_wanted, len(records))
        groups = [records[index::count] for index in range(count)]
        answers = []
        for index, group in enumerate(groups):
            last = index == count - 1
            self._access = (self._access + 1) % 256
            header = self.secondary_address + bytes([self._access, 0, 0, 0])
            body = b"\x72" + header + b"".join(group) + (b"" if last else _MORE_RECORDS_FOLLOW)
            answers.append(Answer(long_frame(0x08, self.address, body), reading if last else None))
        return answers

    def _registers(self) -> tuple[list[bytes], list[dict[str, str]]]:
        """The records of a new readout, and the totals that a gateway is to record of them."""
        self._energy += self._random.randint(0, 9)
        self._volume += self._random.randint(0, 99)
        if self._medium == 0x07:  # noqa: PLR2004 - water, in litres
            return [
                b"\x0c\x78" + packed_digits(self.identification, 4),
                b"\x04\x13" + self._volume.to_bytes(4, "little"),
                b"\x44\x13" + (self._volume // 2).to_bytes(4, "little"),
                b"\x02\xfd\x17\x00\x80",
            ], [_register("8-0:1.0.0", f"{self._volume // 1000}.{self._volume % 1000:03d}", "m3")]
        if self._medium == 0x02:  # noqa: PLR2004 - electricity, in 10 Wh; what was fed in has VIFE 3Ch
            self._returned += self._random.randint(0, 3)
            return [
                b"\x0e\x04" + packed_digits(self._energy, 6),
                b"\x0e\x84\x3c" + packed_digits(self._returned, 6),
                b"\x04\x2b" + self._random.randint(-3000, 9000).to_bytes(4, "little", signed=True),
                b"\x02\xfd\xc8\xfc\x01\xfb\x08",
            ], [
                _register("1-0:1.8.0", str(self._energy * 10), "Wh"),
                _register("1-0:2.8.0", str(self._returned * 10), "Wh"),
            ]
        return [
            b"\x0c\x06" + packed_digits(self._energy, 4),
            b"\x0c\x14" + packed_digits(self._volume, 4),
            b"\x0b\x2d\x47\x01\x00",
            b"\x0a\x5a\x43\x07",
            b"\x0a\x5e\x51\x04",
            b"\x4c\x06" + packed_digits(self._energy // 2, 4),
            b"\x9c\x01\x06" + packed_digits(self._energy, 4),
        ], [
            _register("6-0:1.0.0", str(self._energy * 1000), "Wh"),
            _register("6-0:2.0.0", f"{self._volume // 100}.{self._volume % 100:02d}", "m3"),
        ]


def requests_in(received: bytearray) -> list[bytes]:
    """Takes the whole requests out of what was received."""
    found = []
    while received:
        size = 5 if received[0] == 0x10 else received[1] + 6 if received[0] == 0x68 and len(received) > 1 else 1  # noqa: PLR2004
        if len(received) < size:
            break
        frame = bytes(received[:size])
        del received[:size]
        if size > 1 and frame[-1] == 0x16:  # noqa: PLR2004 - the stop character
            found.append(frame)
    return found


def _register(obis: str, value: str, unit: str) -> dict[str, str]:
    return {"obis": obis, "value": value, "unit": unit}
