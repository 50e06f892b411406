"""Acme telegrams: `$ACME,<serial>,<Wh>,<W>*<checksum>` lines (Acme Telegram Specification, clause 3).

The checksum is the exclusive or of all bytes between `$` and `*`, as two hexadecimal digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devices.driver import WireCounters

TELEGRAM_BYTES_MAX = 80
_TELEGRAM = re.compile(rb"\$(ACME,([0-9]{1,12}),([0-9]{1,12}),(-?[0-9]{1,9}))\*([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class AcmeTelegram:
    """What one telegram says: energy in Wh, power in W."""

    serial: str
    energy_wh: Decimal
    power_w: Decimal


class AcmeParser:
    """Bytes in, telegrams out; holds at most one unfinished telegram."""

    def __init__(self, counters: WireCounters) -> None:
        self._counters = counters
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[AcmeTelegram]:
        """The telegrams that are complete with `data`. What is none is counted."""
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > TELEGRAM_BYTES_MAX:
            self._counters.bytes_dropped += len(rest) - TELEGRAM_BYTES_MAX
            rest = rest[-TELEGRAM_BYTES_MAX:]
        self._rest = rest
        for line in lines:
            telegram = self._telegram(line)
            if telegram is not None:
                yield telegram

    def _telegram(self, line: bytes) -> AcmeTelegram | None:
        found = _TELEGRAM.search(line)
        if found is None or reduce(xor, found[1]) != int(found[5], 16):
            self._counters.errors += 1
            self._counters.last_error = "a line is no telegram, or its checksum is wrong"
            return None
        if found.start():
            self._counters.resyncs += 1
            self._counters.last_error = f"{found.start()} bytes before a telegram"
        return AcmeTelegram(found[2].decode(), Decimal(found[3].decode()), Decimal(found[4].decode()))
