r"""P1 telegrams: bytes in, telegrams out (DSMR P1 companion standard 5.0.2; IEC 62056-21 mode D).

`/` identification CR LF CR LF, lines `OBIS(value)(value)...`, then `!` with four hexadecimal digits of CRC-16/ARC over
everything from `/` to `!`, CR LF. DSMR 2.2 and 3 send no CRC. Line ends may be LF alone: the CRC decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from devices.meter.crc16 import crc16_arc

if TYPE_CHECKING:
    from devices.driver import WireCounters

TELEGRAM_BYTES_MAX = 16384
_FEED_BYTES_MAX = 4096

_END = re.compile(rb"\n!([0-9A-Fa-f]{4})?\r?\n")
_END_BYTES_MAX = len(b"\n!FFFF\r\n")
# How an identification starts (IEC 62056-21 clause 6.3.2): tells it from a slash in noise or in a cut telegram.
_IDENTIFICATION = re.compile(rb"/[A-Za-z]{3}[0-9A-Za-z]")
_LINE = re.compile(r"(\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3})((?:\([^()]*\))+)")
_QUANTITY = re.compile(r"(-?\d{1,64}(?:\.\d{1,64})?)\*([^*]{1,16})")


class Value(NamedTuple):
    """One parenthesis: its text, and if that is `number*unit`, the exact number and the unit (else None and "")."""

    text: str

    @property
    def number(self) -> Decimal | None:
        """The number, with its digits as written."""
        match = _QUANTITY.fullmatch(self.text)
        return Decimal(match[1]) if match else None

    @property
    def unit(self) -> str:
        """The unit."""
        match = _QUANTITY.fullmatch(self.text)
        return match[2] if match else ""


class Line(NamedTuple):
    """One line of a telegram: OBIS code `A-B:C.D.E`, and its parentheses as text.

    What they hold is taken apart when it is asked for: of the 36 lines that a meter sends each second, few are.
    """

    obis: str
    text: str

    @property
    def values(self) -> tuple[Value, ...]:
        """Its values in order."""
        return tuple(map(Value, self.text[1:-1].split(")(")))


@dataclass(frozen=True, slots=True)
class Telegram:
    """One whole telegram. `checked` tells whether it carried a CRC, which then was right."""

    identification: str
    checked: bool
    lines: tuple[Line, ...]


class TelegramParser:
    """Finds telegrams in a stream that may start anywhere and hold anything.

    Holds at most 20 kB. What cannot be used is counted: `errors` for a telegram or line refused, `bytes_dropped` for
    bytes that belong to no telegram, `resyncs` for each run of them.
    """

    def __init__(self, counters: WireCounters, *, crc_required: bool = True) -> None:
        self._counters = counters
        self._crc_required = crc_required
        self._buffer = bytearray()
        self._in_step = True

    def feed(self, data: bytes) -> list[Telegram]:
        """Take the next bytes of the wire, give the telegrams that end in them."""
        telegrams = []
        for start in range(0, len(data), _FEED_BYTES_MAX):
            piece = data[start : start + _FEED_BYTES_MAX]
            searched = max(0, len(self._buffer) - _END_BYTES_MAX)
            self._buffer += piece
            while end := _END.search(self._buffer, searched):
                mark, crc = end.start() + 1, end[1]
                block = bytes(self._buffer[: end.end()])
                del self._buffer[: end.end()]
                searched = 0
                telegram = self._telegram(block, mark, crc)
                if telegram is not None:
                    telegrams.append(telegram)
            self._trim()
        return telegrams

    def _telegram(self, block: bytes, mark: int, crc: bytes | None) -> Telegram | None:
        """The telegram that ends with the `!` at `mark`, from its first `/`, or else the last one that fits."""
        first = block.find(b"/", 0, mark)
        if first < 0:
            self._drop(len(block), "bytes without a telegram's start")
            return None
        if crc is None:
            if self._crc_required:
                self._refuse(len(block), "a telegram without CRC (crc_required = false accepts it)")
                return None
            start = self._last_identification(block, mark, first)
        else:
            starts = (first, self._last_identification(block, mark, first))
            right = (one for one in starts if crc16_arc(block[one : mark + 1]) == int(crc, 16))
            found = next(right, None)
            if found is None:
                self._refuse(len(block), "a telegram whose CRC is wrong; check cable and baudrate")
                return None
            start = found
        if start:
            self._drop(start, "bytes before a telegram")
        self._in_step = True
        return self._decode(block[start:mark], checked=crc is not None)

    @staticmethod
    def _last_identification(block: bytes, mark: int, otherwise: int) -> int:
        last = otherwise
        for found in _IDENTIFICATION.finditer(block, otherwise, mark):
            last = found.start()
        return last

    def _decode(self, body: bytes, *, checked: bool) -> Telegram:
        # ISO 8859-1 maps every byte, so an 8-bit byte in a text harms nothing but that text.
        head, *rows = body.decode("latin-1").replace("\r", "").split("\n")
        lines = []
        for row in _joined(rows):
            match = _LINE.fullmatch(row)
            if match is None:
                self._count_error(f"a line that is no OBIS line: {row[:40]!r}")
            else:
                lines.append(Line(match[1], match[2]))
        return Telegram(head[1:], checked, tuple(lines))

    def _trim(self) -> None:
        if len(self._buffer) <= TELEGRAM_BYTES_MAX:
            if self._buffer and b"/" not in self._buffer:
                self._cut(len(self._buffer))
            return
        last = self._buffer.rfind(b"/", 1)
        if last < 0 or len(self._buffer) - last > TELEGRAM_BYTES_MAX:
            last = len(self._buffer)
        self._cut(last)

    def _cut(self, count: int) -> None:
        del self._buffer[:count]
        self._drop(count, "bytes without a telegram's end")

    def _drop(self, count: int, what: str) -> None:
        self._counters.resyncs += self._in_step
        self._in_step = False
        self._counters.bytes_dropped += count
        self._counters.last_error = f"dropped {count} {what}"

    def _refuse(self, count: int, what: str) -> None:
        self._counters.bytes_dropped += count
        self._count_error(what)

    def _count_error(self, what: str) -> None:
        self._counters.errors += 1
        self._counters.last_error = what


def _joined(rows: list[str]) -> list[str]:
    """Rows that are not empty; one that starts with `(` goes on the row before (gas of DSMR 2.2 and 3)."""
    joined: list[str] = []
    for row in rows:
        if row.startswith("(") and joined:
            joined[-1] += row
        elif row:
            joined.append(row)
    return joined
