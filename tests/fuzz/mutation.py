"""Makes wrong inputs of right ones; the same seed makes the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

INPUT_BYTES_MAX = 8192
_CHANGES_MAX = 6
_RUN_BYTES_MAX = 32
_HUGE_CHANCE = 0.005
_INTERESTING_BYTES = bytes.fromhex("00010203070a0c0d0f101a1b20222f303a5b5c5d68707e7b7d7f80818283a0e5f0feff")
_INTERESTING_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TEXTS = (
    b"-0",
    b"1e999999999",
    b"NaN",
    b"-1",
    b"9" * 40,
    b"0.1",
    b'"\\ud800"',
    b"null",
    b"[]",
    b"{}",
    b"\xc3\xa9",
    b"\xff",
)


class Mutator:
    """`seeds` and `tokens`: whole inputs, and parts that inputs are made of."""

    def __init__(self, chance: random.Random, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
        self._chance = chance
        self._seeds = seeds
        self._tokens = (*tokens, *_TEXTS)
        self._changes = (
            self._flip,
            self._set,
            self._set_number,
            self._step,
            self._insert_token,
            self._insert_noise,
            self._delete,
            self._duplicate,
            self._move,
            self._splice,
            self._truncate,
            self._join,
        )

    def mutated(self, data: bytes, huge_bytes: int) -> bytes:
        """`data` with a few changes; now and then something in it over and over, up to `huge_bytes`."""
        changed = bytearray(data)
        for _ in range(self._chance.randint(1, _CHANGES_MAX)):
            changed = self._chance.choice(self._changes)(changed)[:INPUT_BYTES_MAX]
        if self._chance.random() < _HUGE_CHANCE:
            unit = self._part(changed) or b"\x00"
            position = self._place(changed)
            changed[position:position] = (unit * (huge_bytes // len(unit) + 1))[:huge_bytes]
        return bytes(changed)

    def _place(self, data: bytes | bytearray) -> int:
        return self._chance.randint(0, len(data))

    def _part(self, data: bytes | bytearray) -> bytes:
        start = self._place(data)
        return bytes(data[start : start + self._chance.choice((1, 2, 4, 8, 16, 64, 256))])

    def _flip(self, data: bytearray) -> bytearray:
        if data:
            data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        return data

    def _set(self, data: bytearray) -> bytearray:
        if data:
            data[self._chance.randrange(len(data))] = self._chance.choice(_INTERESTING_BYTES)
        return data

    def _set_number(self, data: bytearray) -> bytearray:
        size = self._chance.choice((1, 2, 4))
        number = self._chance.choice(_INTERESTING_NUMBERS) % (1 << 8 * size)
        position = self._place(data)
        data[position : position + size] = number.to_bytes(size, self._chance.choice(("big", "little")))
        return data

    def _step(self, data: bytearray) -> bytearray:
        """A length field that is a little too long or too short."""
        if data:
            position = self._chance.randrange(len(data))
            data[position] = (data[position] + self._chance.choice((-8, -2, -1, 1, 2, 8))) % 256
        return data

    def _insert_token(self, data: bytearray) -> bytearray:
        position = self._place(data)
        replaced = self._chance.choice((0, 0, 1, 4))
        data[position : position + replaced] = self._chance.choice(self._tokens)
        return data

    def _insert_noise(self, data: bytearray) -> bytearray:
        position = self._place(data)
        data[position:position] = self._chance.randbytes(self._chance.randint(1, _RUN_BYTES_MAX))
        return data

    def _delete(self, data: bytearray) -> bytearray:
        position = self._place(data)
        del data[position : position + self._chance.randint(1, _RUN_BYTES_MAX)]
        return data

    def _duplicate(self, data: bytearray) -> bytearray:
        position = self._place(data)
        data[position:position] = self._part(data) * self._chance.choice((1, 1, 2, 17))
        return data

    def _move(self, data: bytearray) -> bytearray:
        part = self._part(data)
        position = self._place(data)
        data[position : position + len(part)] = part
        return data

    def _splice(self, data: bytearray) -> bytearray:
        other = self._chance.choice(self._seeds)
        return data[: self._place(data)] + other[self._place(other) :]

    def _truncate(self, data: bytearray) -> bytearray:
        return data[: self._place(data)]

    def _join(self, data: bytearray) -> bytearray:
        return data + self._chance.choice(self._seeds)
