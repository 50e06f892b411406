"""Devices that speak one JSON object a line and want an answer: fare validators, counters, anything scripted.

The answer `ack` comes after the event is committed; a device sends again what is not answered. That the same id is
recorded once is the recorder's part.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from devices.driver import DeviceError, Reading, Recorded, Refused, WireCounters, WireRole
from devices.jsonl.line import LineSplitter, RefusedLine, acknowledgement, parse_line, refusal
from devices.wire.line import check_line_port, line_at
from ledger_sync.proof.settings import setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True)
class JsonlSettings:
    """Keys of a `[[device]]` with `driver = "jsonl"`."""

    port: str = setting(doc="a serial port, or tcp://host:port to which the gateway connects", check=check_line_port)
    baudrate: int = setting(115200, doc="bit/s; of a serial port", minimum=300, maximum=4_000_000)


class Jsonl:
    """Driver of a line device; `Answering`."""

    Settings: ClassVar[type[JsonlSettings]] = JsonlSettings
    wire_role: ClassVar[WireRole] = WireRole.SOLE_MASTER

    def __init__(self, device: str, settings: JsonlSettings) -> None:
        self.device = device
        self.counters = WireCounters()
        self._line = line_at(settings.port, settings.baudrate, bytesize=8, parity="N")
        self._splitter = LineSplitter()
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """Open the port or connect. Raises DeviceError."""
        self._splitter = LineSplitter()
        await self._line.open()

    async def readings(self) -> AsyncIterator[Reading]:
        """Readings in the order of the wire; a line that is none is refused here.

        Raises DeviceError when the wire is lost, or when the device does not take its answers for 2 s.
        """
        while True:
            data = await self._line.read()
            dropped_before = self._splitter.bytes_dropped
            for line in self._splitter.feed(data):
                reading = parse_line(line) if isinstance(line, bytes) else line
                if isinstance(reading, RefusedLine):
                    self.counters.errors += 1
                    self.counters.last_error = reading.why
                    await self._write(refusal(reading))
                    # A flood of bad lines must leave the loop to others: a write that succeeds at once does not.
                    await asyncio.sleep(0)
                else:
                    self.counters.readings += 1
                    yield reading
            self.counters.bytes_dropped += self._splitter.bytes_dropped - dropped_before

    async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
        """Tell the device what became of `reading`."""
        if reading.id is None:
            raise ValueError("a reading without id is not from this driver, and cannot be answered")
        if isinstance(outcome, Recorded):
            line = acknowledgement(reading.id)
        else:
            line = refusal(RefusedLine(reading.id, outcome.why))
        # The line is failed by this, and `readings` raises; the device sends again what is not answered.
        with contextlib.suppress(DeviceError):
            await self._write(line)

    async def close(self) -> None:
        """Close the wire; idempotent."""
        await self._line.close()

    async def _write(self, line: bytes) -> None:
        async with self._writing:
            await self._line.write(line)
