"""Frames of the NXP PN532's host interface (UM0701-02, section 6.2): bytes in, frames out; frames to send.

A normal information frame: 00 FF, length, its complement to 256, TFI, data, and a checksum that makes the sum of TFI
and data 256; zeros may stand before and after. Extended frames are not used by the commands here.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.driver import WireCounters

FRAME_BYTES_MAX = 2 + 2 + 255 + 1
_START = b"\x00\xff"
_TO_READER, _FROM_READER, _ERROR = 0xD4, 0xD5, 0x7F
_HEAD_BYTES = len(_START) + 2


class Short(enum.Enum):
    """Frames without data."""

    ACK = b"\x00\xff"
    NACK = b"\xff\x00"
    ERROR = b"\x7f"


def command_frame(command: int, parameters: bytes = b"") -> bytes:
    """The frame of a command with at most 253 bytes of parameters."""
    data = bytes((_TO_READER, command)) + parameters
    head = bytes((len(data), -len(data) & 0xFF))
    return b"\x00" + _START + head + data + bytes((-sum(data) & 0xFF, 0x00))


class FrameParser:
    """Finds frames in the reader's bytes; keeps at most 260 bytes plus those just fed."""

    def __init__(self, counters: WireCounters) -> None:
        self._counters = counters
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes | Short]:
        """Take bytes; give the frames that they complete: response code and data of one, or a `Short`."""
        self._buffer += data
        frames = []
        while self._seek_start():
            size = self._size()
            if size is None:
                break
            if size and len(self._buffer) < size:
                break
            frame = self._take(size)
            if frame is not None:
                frames.append(frame)
        return frames

    def drop_unfinished(self) -> None:
        """Drop a frame that was begun: the reader is silent, and what comes next is another one."""
        if dropped := len(self._buffer) - self._buffer.count(0):
            self._counters.resyncs += 1
            self._counters.last_error = "a frame that did not end"
            self._counters.bytes_dropped += dropped
        self._buffer.clear()

    def _seek_start(self) -> bool:
        found = self._buffer.find(_START)
        # A last zero may be the first half of a start code.
        skipped = found if found >= 0 else len(self._buffer) - self._buffer.endswith(b"\x00")
        self._counters.bytes_dropped += skipped - self._buffer.count(0, 0, skipped)
        del self._buffer[:skipped]
        return found >= 0

    def _size(self) -> int | None:
        """How many bytes the frame at the start has; 0 when it is none, None while that is not known."""
        if len(self._buffer) < _HEAD_BYTES:
            return None
        length, complement = self._buffer[2], self._buffer[3]
        if bytes(self._buffer[2:4]) in (Short.ACK.value, Short.NACK.value):
            return _HEAD_BYTES
        return _HEAD_BYTES + length + 1 if length and (length + complement) & 0xFF == 0 else 0

    def _take(self, size: int) -> bytes | Short | None:
        frame = bytes(self._buffer[:size])
        if size == _HEAD_BYTES:
            del self._buffer[:size]
            return Short(frame[2:4])
        data = frame[_HEAD_BYTES:]
        if not size or sum(data) & 0xFF or data[0] not in (_FROM_READER, _ERROR):
            self._resync()
            return None
        del self._buffer[:size]
        return Short.ERROR if data[0] == _ERROR else data[1:-1]

    def _resync(self) -> None:
        """Skip a start code that no frame follows: a frame may begin within the bytes after it."""
        self._counters.resyncs += 1
        self._counters.last_error = "a frame with wrong length or checksum"
        self._counters.bytes_dropped += len(_START)
        del self._buffer[: len(_START)]
