"""HDLC frames of DLMS, sans-I/O: bytes in, application data out (IEC 62056-46, frame format type 3).

`7E`, two bytes of format (type A, segmentation bit, 11 bits of length), destination and source address, control, header
check sequence, information, frame check sequence, `7E`. The length alone tells where a frame ends: 7E may stand within.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from devices.meter.crc16 import crc16_x25

if TYPE_CHECKING:
    from devices.driver import WireCounters

FLAG = 0x7E
DATA_BYTES_MAX = 8192
"""The most that the segments of one message may hold together."""

_FEED_BYTES_MAX = 1024
_FORMAT_TYPE_3, _SEGMENTED = 0xA0, 0x08
_LAST_ADDRESS_BYTE = 0x01
_ADDRESS_BYTES_MAX = 4
_CHECK_BYTES = 2
_HEADER_BYTES_MAX = 2 + 2 * _ADDRESS_BYTES_MAX + 1 + _CHECK_BYTES


class _NotYet(enum.Enum):
    """Why there is no frame at a flag."""

    UNFINISHED = enum.auto()
    DAMAGED = enum.auto()
    NO_FRAME = enum.auto()


@dataclass(frozen=True, slots=True)
class _Frame:
    """A whole frame at a place in the buffer."""

    end: int
    information: bytes
    segmented: bool


class HdlcReader:
    """Finds frames in a stream that may start anywhere and hold anything, and joins segments.

    Holds at most 3 kB of stream and 8 kB of segments. A frame is taken as soon as its checks hold, also behind the
    start of one that was cut off. What cannot be used is counted: `errors` for a frame whose frame check is wrong,
    `bytes_dropped` for bytes that belong to no frame, `resyncs` for each run of them.
    """

    def __init__(self, counters: WireCounters) -> None:
        self._counters = counters
        self._buffer = bytearray()
        self._segments = bytearray()
        self._in_step = True

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the wire, give the information of the messages that end in them."""
        messages = []
        for start in range(0, len(data), _FEED_BYTES_MAX):
            self._buffer += data[start : start + _FEED_BYTES_MAX]
            while (frame := self._next_frame()) is not None:
                message = self._join(frame)
                if message:
                    messages.append(message)
        return messages

    def _next_frame(self) -> _Frame | None:
        """The first whole frame, taken out of the buffer with all that is before it."""
        unfinished: int | None = None
        damaged = False
        position = self._buffer.find(FLAG)
        while position >= 0:
            found = self._frame_at(position)
            if isinstance(found, _Frame):
                self._drop(position, damaged=damaged)
                # The flag that ends this frame may be the one that begins the next.
                del self._buffer[: found.end - position]
                self._in_step = True
                return found
            if found is _NotYet.UNFINISHED and unfinished is None:
                unfinished = position
            damaged |= found is _NotYet.DAMAGED and unfinished is None
            position = self._buffer.find(FLAG, position + 1)
        self._drop(len(self._buffer) if unfinished is None else unfinished, damaged=damaged)
        return None

    def _frame_at(self, position: int) -> _Frame | _NotYet:
        """The frame after the flag at `position`, or why there is none."""
        start = position + 1
        header = self._header_size(start)
        if isinstance(header, _NotYet):
            return header
        length = (self._buffer[start] & 0x07) << 8 | self._buffer[start + 1]
        if length < header + _CHECK_BYTES:
            return _NotYet.NO_FRAME
        if len(self._buffer) - start < length:
            return _NotYet.UNFINISHED
        frame = bytes(self._buffer[start : start + length])
        if not _check_holds(frame):
            return _NotYet.DAMAGED
        return _Frame(start + length, frame[header:-_CHECK_BYTES], bool(frame[0] & _SEGMENTED))

    def _header_size(self, start: int) -> int | _NotYet:
        """The size of the header at `start` with its check sequence, or why there is none."""
        head = bytes(self._buffer[start : start + _HEADER_BYTES_MAX])
        if head and head[0] & 0xF0 != _FORMAT_TYPE_3:
            return _NotYet.NO_FRAME
        size = 2
        for _ in range(2):  # destination and source address: the last byte of each has bit 0 set
            ends = [end for end in (1, 2, 4) if end <= len(head) - size and head[size + end - 1] & _LAST_ADDRESS_BYTE]
            if not ends:
                return _NotYet.UNFINISHED if len(head) - size < _ADDRESS_BYTES_MAX else _NotYet.NO_FRAME
            size += ends[0]
        size += 1 + _CHECK_BYTES
        if len(head) < size:
            return _NotYet.UNFINISHED
        return size if _check_holds(head[:size]) else _NotYet.NO_FRAME

    def _join(self, frame: _Frame) -> bytes:
        """The information of a message whose last frame this is; empty while segments are to follow."""
        self._segments += frame.information
        if len(self._segments) > DATA_BYTES_MAX:
            self._count(f"segments of more than {DATA_BYTES_MAX} bytes")
            self._segments.clear()
        if frame.segmented:
            return b""
        message = bytes(self._segments)
        self._segments.clear()
        return message

    def _drop(self, size: int, *, damaged: bool) -> None:
        """Let go of `size` bytes before the next frame; the flag that ended the last one is no loss."""
        dropped = bytes(self._buffer[:size]).strip(bytes((FLAG,)))
        del self._buffer[:size]
        if dropped:
            self._segments.clear()
            self._counters.bytes_dropped += len(dropped)
        if dropped and self._in_step:
            self._in_step = False
            self._counters.resyncs += 1
            self._counters.last_error = "bytes that belong to no frame"
        if damaged:
            self._count("a frame whose check sequence is wrong")

    def _count(self, what: str) -> None:
        self._counters.errors += 1
        self._counters.last_error = what


def _check_holds(data: bytes) -> bool:
    """Whether the last two bytes are the check sequence of those before (CRC-16/X-25, low byte first)."""
    return crc16_x25(data[:-_CHECK_BYTES]) == int.from_bytes(data[-_CHECK_BYTES:], "little")
