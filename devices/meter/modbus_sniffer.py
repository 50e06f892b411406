"""Reads of one unit overheard on a serial Modbus line between its master and its meters; nothing is ever sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from devices.meter.modbus_frame import FRAME_BYTES_MAX, REGISTERS_MAX, RegisterRead, crc_is_right

if TYPE_CHECKING:
    from devices.driver import WireCounters

_REQUEST_BYTES = 8
_READS = (3, 4)
_REFUSED = 0x80
_REFUSAL_BYTES = 5
# RS-485 transceivers add a byte or two when the line turns round. More than that between a request and an answer may
# have been another request, and the answer that one's: it would give a register the value of another.
_STRAY_BYTES_MAX = 2


@dataclass(frozen=True, slots=True)
class OverheardRead:
    """A read that was answered: 2 bytes a register in `data`."""

    read: RegisterRead
    data: bytes


class ReadSniffer:
    """Pairs each read of `unit` with its answer.

    An answer counts only if its CRC is right, it fits the request before it in unit, function and length, and it
    follows directly. Holds at most 1 kB. Frames of other units and other functions are no concern of it; `errors`
    counts answers of `unit` that are damaged or missing, `bytes_dropped` bytes that are part of no read, `resyncs`
    runs of them.
    """

    def __init__(self, unit: int, counters: WireCounters) -> None:
        self._unit = unit
        self._counters = counters
        self._buffer = bytearray()
        self._in_step = True

    def feed(self, data: bytes) -> list[OverheardRead]:
        """Take the next bytes of the line, give the reads whose answers end in them."""
        found: list[OverheardRead] = []
        for start in range(0, len(data), FRAME_BYTES_MAX):
            self._buffer += data[start : start + FRAME_BYTES_MAX]
            position = 0
            while (used := self._exchange(position, found)) is not None:
                position += used
            del self._buffer[:position]
        return found

    def _exchange(self, position: int, found: list[OverheardRead]) -> int | None:
        """How many bytes from `position` are done with; None when more must come to tell."""
        if len(self._buffer) - position < _REQUEST_BYTES:
            return None
        read = self._request(position)
        if read is None:
            self._drop_byte()
            return 1
        self._in_step = True
        unit = self._buffer[position]
        answers = [
            (start, self._answer_end(start, unit, read))
            for start in range(position + _REQUEST_BYTES, position + _REQUEST_BYTES + _STRAY_BYTES_MAX + 1)
        ]
        whole = next(((start, end) for start, end in answers if end), None)
        if whole is None and any(end is None for _, end in answers):
            return None
        start, end = whole or (position, position + _REQUEST_BYTES)
        if unit == self._unit:
            data = bytes(self._buffer[start + 3 : end - 2])
            if whole is not None and len(data) == 2 * read.count:
                found.append(OverheardRead(read, data))
            else:
                self._count_error(f"{read}: the answer is damaged, missing or a refusal")
        return end - position

    def _drop_byte(self) -> None:
        self._counters.bytes_dropped += 1
        if self._in_step:
            self._counters.resyncs += 1
            self._counters.last_error = "dropped bytes that are part of no read; check baudrate and parity"
        self._in_step = False

    def _request(self, position: int) -> RegisterRead | None:
        frame = self._buffer[position : position + _REQUEST_BYTES]
        count = frame[4] << 8 | frame[5]
        if frame[1] not in _READS or not 1 <= count <= REGISTERS_MAX or not crc_is_right(frame):
            return None
        return RegisterRead(frame[1], frame[2] << 8 | frame[3], count)

    def _answer_end(self, start: int, unit: int, read: RegisterRead) -> int | None:
        """Where the answer or refusal that starts here ends; 0 if there is none here, None if more must come."""
        for head, length in (
            (bytes((unit, read.function, 2 * read.count)), 5 + 2 * read.count),
            (bytes((unit, read.function | _REFUSED)), _REFUSAL_BYTES),
        ):
            there = self._buffer[start : start + length]
            if head[: len(there)] != there[: len(head)]:
                continue
            if len(there) < length:
                return None
            if crc_is_right(there):
                return start + length
        return 0

    def _count_error(self, what: str) -> None:
        self._counters.errors += 1
        self._counters.last_error = what
