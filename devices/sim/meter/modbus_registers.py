"""What simulated Modbus meters hold at which address, from the makers' documents: the registers recorded by default.

Eastron SDM630 V1.8 and SDM120M V2.5 (float32, high word first, input registers); ABB B23 (64- and 32-bit integers of
0.01, holding registers); Carlo Gavazzi EM340 (int32 of 0.1, low word first).
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from typing import Any

ILLEGAL_DATA_ADDRESS = 2
IMPORTED, EXPORTED, POWER = "1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0"
_UNITS = {IMPORTED: "kWh", EXPORTED: "kWh", POWER: "W"}


@dataclass(frozen=True, slots=True)
class Model:
    """How one model tells its numbers: `where` maps OBIS codes to addresses, in the order in which they are recorded.

    A number counts `1 / steps` of its unit; `size` is in bytes. Addresses from 0 to `plain_until` that hold nothing
    here read as zero, all others are refused.
    """

    function: int
    where: dict[str, int]
    steps: int
    energy_size: int
    power_size: int
    serial: tuple[int, int]
    floats: bool = False
    low_word_first: bool = False
    plain_until: int = 0


# Of float32 the steps are powers of two: each value is then exact in it, and its shortest decimal is all its digits.
MODELS = {
    "sdm630": Model(
        4, {POWER: 0x34, IMPORTED: 0x48, EXPORTED: 0x4A}, 8, 4, 4, (3, 0xFC00), floats=True, plain_until=0x58
    ),
    "sdm120": Model(
        4, {POWER: 0x0C, IMPORTED: 0x48, EXPORTED: 0x4A}, 8, 4, 4, (3, 0xFC00), floats=True, plain_until=0x58
    ),
    "abb-b23": Model(3, {IMPORTED: 0x5000, EXPORTED: 0x5004, POWER: 0x5B14}, 100, 8, 4, (3, 0x8900)),
    "em340": Model(4, {POWER: 0x28, IMPORTED: 0x34, EXPORTED: 0x4E}, 10, 4, 4, (3, 0x5000), low_word_first=True),
}


class MeterRegisters:
    """The registers of one meter. They stand still while they are read, and move when `step` says so."""

    def __init__(self, model: str, seed: int) -> None:
        self._model = MODELS[model]
        self._text_serial = model == "em340"
        self._random = random.Random(seed)
        steps = self._model.steps
        self._counts = {
            IMPORTED: self._random.randrange(1, 50_000 * steps),
            EXPORTED: self._random.randrange(1, 5_000 * steps),
            POWER: 0,
        }
        number = 10_000_000 + seed % 90_000_000
        self.meter_id = f"BQ{number}001" if self._text_serial else str(number)
        self._words: dict[tuple[int, int], int] = {}
        self._hold_serial(number)
        self.step()

    def step(self) -> None:
        """Time passes: energy rises, the load moves."""
        watts = self._random.randint(-3000, 9000)
        self._counts[POWER] = watts * self._model.steps + self._random.randrange(self._model.steps)
        self._counts[IMPORTED if watts >= 0 else EXPORTED] += self._random.randint(0, 3)
        for obis, address in self._model.where.items():
            self._hold(self._model.function, address, self._encoded(obis), low_first=self._model.low_word_first)

    def reading(self, integrity: str) -> dict[str, Any]:
        """What a gateway is to record of the registers as they stand."""
        rows = [{"obis": obis, "value": self._text(obis), "unit": _UNITS[obis]} for obis in self._model.where]
        return {"meter_id": self.meter_id, "meter_time": None, "integrity": integrity, "registers": rows}

    def read(self, function: int, address: int, count: int) -> bytes | int:
        """The registers' bytes, or the code of an exception."""
        plain = range(self._model.plain_until) if function == self._model.function else range(0)
        wanted = [(function, one) for one in range(address, address + count)]
        if not all(one in self._words or one[1] in plain for one in wanted):
            return ILLEGAL_DATA_ADDRESS
        return b"".join(self._words.get(one, 0).to_bytes(2, "big") for one in wanted)

    def quantities(self, function: int, address: int, count: int) -> set[str]:
        """Which quantities begin in these registers."""
        if function != self._model.function:
            return set()
        return {obis for obis, at in self._model.where.items() if address <= at < address + count}

    def _hold_serial(self, number: int) -> None:
        function, address = self._model.serial
        data = self.meter_id.encode().ljust(14, b"\0") if self._text_serial else number.to_bytes(4, "big")
        self._hold(function, address, data, low_first=False)
        self._hold(4, address, data, low_first=False)

    def _hold(self, function: int, address: int, data: bytes, *, low_first: bool) -> None:
        words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        for offset, word in enumerate(reversed(words) if low_first else words):
            self._words[function, address + offset] = word

    def _encoded(self, obis: str) -> bytes:
        count = self._counts[obis]
        if self._model.floats:
            return struct.pack(">f", count / self._model.steps)
        size = self._model.power_size if obis == POWER else self._model.energy_size
        return count.to_bytes(size, "big", signed=True)

    def _text(self, obis: str) -> str:
        count, steps = self._counts[obis], self._model.steps
        if self._model.floats:
            return f"{count / steps:.12g}"
        places = len(str(steps)) - 1
        sign = "-" if count < 0 else ""
        return f"{sign}{abs(count) // steps}.{abs(count) % steps:0{places}d}"
