r"""The data readout of IEC 62056-21 (formerly IEC 1107): bytes in, meters out.

A meter that was signed on to sends `/` three letters, a speed character, its identification, CR LF (clause 6.3.2),
and then STX, lines `OBIS(value*unit)...` CR LF, `!` CR LF, ETX and a block check character: the exclusive or of all
bytes after STX up to and with ETX (ISO 1155).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING

from devices.meter.registers import Meter, Register, can_be_signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devices.driver import WireCounters

READOUT_BYTES_MAX = 16384
_IDENTIFICATION_BYTES_MAX = 256
_STX, _ETX = b"\x02", b"\x03"
_END = re.compile(rb"!\r?\n\x03[\x00-\xff]")
_IDENTIFICATION = re.compile(rb"/([A-Za-z]{3})([!-~])([ -~]{0,32})\r?\n")

# The meter waits for an acknowledgement (mode C), or changes speed by itself (mode B).
_MODE_C = dict(zip("0123456", (300, 600, 1200, 2400, 4800, 9600, 19200), strict=True))
_MODE_B = dict(zip("ABCDEF", (600, 1200, 2400, 4800, 9600, 19200), strict=True))

_CODE = r"(?:\d{1,3}-\d{1,3}:)?[0-9A-Z]{1,3}\.[0-9A-Z]{1,3}(?:\.[0-9A-Z]{1,3})?"
_STORED = r"(?:[*&](\d{1,3}))?"
_VALUES = r"((?:\([^()]*\))+)"
_DATA_SET = re.compile(f"({_CODE}){_STORED}{_VALUES}")
_LINE = re.compile(rf"(?:{_CODE}(?:[*&]\d{{1,3}})?(?:\([^()]*\))+)+")
_VALUE = re.compile(r"\(([^()]*)\)")
_QUANTITY = re.compile(r"(-?\d{1,64}(?:[.,]\d{1,64})?)\*([^*]{1,16})")
_NUMERIC_CODE = re.compile(r"(?:\d{1,3}-\d{1,3}:)?\d{1,3}\.\d{1,3}\.\d{1,3}")
_CURRENT = ("", "255")  # the F of an OBIS code: any other is a value stored at an earlier reset

_ID_CODES = ("0.0.0", "C.1.0", "96.1.0", "C.1")
_METER_ID = re.compile(r"[\x21-\x7e]{1,64}")
_DATE, _TIME = "0.9.2", "0.9.1"
_CLOCK = re.compile(r"[0-9A-Za-z:.\-/ ]{1,15}")


@dataclass(frozen=True, slots=True)
class Identification:
    """How a meter answers the sign-on: its maker's three letters, its speed character, its own text."""

    maker: str
    speed: str
    text: str

    def acknowledged_baudrate(self) -> int | None:
        """The speed in bit/s that a meter of mode C proposes and waits to have acknowledged; None for others."""
        return _MODE_C.get(self.speed)

    def own_baudrate(self) -> int | None:
        """The speed in bit/s to which a meter of mode B changes by itself; None for others."""
        return _MODE_B.get(self.speed)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A code as it is written, the number of the stored value behind `*` or `&` ("" if none), and its parentheses."""

    code: str
    stored: str
    values: tuple[str, ...]


def acknowledgement(baudrate: int) -> bytes:
    """Asks a meter of mode C for its data readout, at one of its speeds, in bit/s."""
    speed = next(character for character, one in _MODE_C.items() if one == baudrate)
    return f"\x060{speed}0\r\n".encode("ascii")


class IdentificationFinder:
    """Finds the identification in what comes after the sign-on, such as its own reflection; holds at most 512 bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Identification | None:
        """Take the next bytes; the identification once it is whole."""
        for start in range(0, len(data), _IDENTIFICATION_BYTES_MAX):
            self._buffer += data[start : start + _IDENTIFICATION_BYTES_MAX]
            found = _IDENTIFICATION.search(self._buffer)
            if found:
                maker, speed, text = (part.decode("ascii") for part in found.groups())
                return Identification(maker, speed, text)
            del self._buffer[:-_IDENTIFICATION_BYTES_MAX]
        return None


class ReadoutFinder:
    """Finds readouts in what comes from a meter; holds at most 32 kB.

    `errors` counts readouts whose block check is wrong and lines that are none, `bytes_dropped` bytes that belong to
    no readout, `resyncs` runs of them.
    """

    def __init__(self, counters: WireCounters) -> None:
        self._counters = counters
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[DataSet, ...]]:
        """Take the next bytes, give the readouts that end in them."""
        readouts = []
        for start in range(0, len(data), READOUT_BYTES_MAX):
            self._buffer += data[start : start + READOUT_BYTES_MAX]
            while end := _END.search(self._buffer):
                block = bytes(self._buffer[: end.end()])
                del self._buffer[: end.end()]
                body = self._body(block)
                if body is not None:
                    readouts.append(self._data_sets(body))
            if len(self._buffer) > READOUT_BYTES_MAX:
                self._drop(len(self._buffer) - READOUT_BYTES_MAX)
                del self._buffer[:-READOUT_BYTES_MAX]
        return readouts

    def _body(self, block: bytes) -> bytes | None:
        """The lines of the readout that ends the block, if its check is right.

        It begins at the last STX: the check is too weak to tell a readout from two that ran into each other.
        """
        start = block.rfind(_STX, 0, -1)
        if start < 0 or reduce(xor, block[start + 1 :]) != 0:  # the check leaves nothing of itself
            self._counters.bytes_dropped += len(block)
            self._count_error("a readout whose block check is wrong; check the head's position, baudrate and parity")
            return None
        if start:
            self._drop(start)
        return block[start + 1 : block.rindex(b"!")]

    def _data_sets(self, body: bytes) -> tuple[DataSet, ...]:
        found: list[DataSet] = []
        for row in body.decode("latin-1").replace("\r", "").split("\n"):
            if row and not _LINE.fullmatch(row):
                self._count_error(f"a line that is no data line: {row[:40]!r}")
                continue
            found += (DataSet(one[1], one[2] or "", tuple(_VALUE.findall(one[3]))) for one in _DATA_SET.finditer(row))
        return tuple(found)

    def _drop(self, count: int) -> None:
        self._counters.bytes_dropped += count
        self._counters.resyncs += 1
        self._counters.last_error = f"dropped {count} bytes that belong to no readout"

    def _count_error(self, what: str) -> None:
        self._counters.errors += 1
        self._counters.last_error = what


def meter_in(identification: Identification, readout: tuple[DataSet, ...], counters: WireCounters) -> Meter:
    """The meter of a readout, with the current value of each register, as the meter writes its code.

    Values of earlier resets (`*01`) are left out. A number that cannot be signed, or with `?` in place of a digit
    (a register that failed), is counted as an error and left out.
    """
    current = [one for one in readout if one.stored in _CURRENT]
    texts = {one.code.rpartition(":")[2]: one.values[0] for one in reversed(current)}
    registers = tuple(register for one in current if (register := _register(one, counters)) is not None)
    return Meter(_meter_id(identification, texts), _meter_time(texts), registers)


def _meter_id(identification: Identification, texts: Mapping[str, str]) -> str:
    found = next((texts[code] for code in _ID_CODES if _METER_ID.fullmatch(texts.get(code, ""))), None)
    own = f"{identification.maker}{identification.text}".replace(" ", "")
    return found or own


def _meter_time(texts: Mapping[str, str]) -> str | None:
    parts = [texts[code] for code in (_DATE, _TIME) if _CLOCK.fullmatch(texts.get(code, ""))]
    return " ".join(parts) or None


def _register(one: DataSet, counters: WireCounters) -> Register | None:
    text = one.values[0]
    quantity = _QUANTITY.fullmatch(text)
    if not _NUMERIC_CODE.fullmatch(one.code):
        return None
    if quantity is None:
        if "?" in text:
            counters.errors += 1
            counters.last_error = f"{one.code}: the meter does not know the value itself: {text[:40]!r}"
        return None
    number = Decimal(quantity[1].replace(",", "."))
    if not can_be_signed(number):
        counters.errors += 1
        counters.last_error = f"{one.code} has more digits than can be signed: {text[:40]!r}"
        return None
    return Register(one.code, number, quantity[2])
