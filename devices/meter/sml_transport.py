"""SML transport protocol version 1: bytes in, SML files out (BSI TR-03109-1 annex; SML 1.04 clause 8).

`1b1b1b1b 01010101`, the file (each `1b1b1b1b` in it doubled), 0 to 3 zero bytes, `1b1b1b1b 1a`, their number, and a
CRC-16/X-25 over all of it, low byte first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.meter.crc16 import crc16_kermit, crc16_x25

if TYPE_CHECKING:
    from devices.driver import WireCounters

FRAME_BYTES_MAX = 8192
_FEED_BYTES_MAX = 4096

_ESCAPE = b"\x1b\x1b\x1b\x1b"
_BEGIN = b"\x01\x01\x01\x01"
_START = _ESCAPE + _BEGIN
_END = 0x1A
_PADDING_MAX = 3
_ESCAPED_BYTES = 8


def checksum_fits(data: bytes, crc: int) -> bool:
    """Whether `crc`, read as a big-endian number off the wire, belongs to `data`.

    SML sends X-25 low byte first; Holley's DTZ541 sends Kermit high byte first.
    """
    x25 = crc16_x25(data)
    return crc == (x25 & 0xFF) << 8 | x25 >> 8 or crc == crc16_kermit(data)


class SmlTransport:
    """Finds SML files in a stream that may start anywhere and hold anything.

    Holds at most 12 kB. What cannot be used is counted: `errors` for a frame refused, `bytes_dropped` for bytes that
    belong to no frame, `resyncs` for each run of them.
    """

    def __init__(self, counters: WireCounters) -> None:
        self._counters = counters
        self._buffer = bytearray()
        # Once a frame has begun, the buffer starts with its start sequence, and escapes before this are judged.
        self._searched = len(_START)
        self._in_step = True

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the wire; give the SML files, unescaped and without padding, that end in them."""
        files = []
        for start in range(0, len(data), _FEED_BYTES_MAX):
            self._buffer += data[start : start + _FEED_BYTES_MAX]
            while (file := self._next_file()) is not None:
                files.append(file)
        return files

    def _next_file(self) -> bytes | None:
        while self._find_start():
            position = self._buffer.find(_ESCAPE, self._searched)
            if position < 0 or position + _ESCAPED_BYTES > len(self._buffer):
                if len(self._buffer) <= FRAME_BYTES_MAX:
                    self._searched = position if position >= 0 else max(len(_START), len(self._buffer) - 3)
                    return None
                self._refuse("a frame without end")
                continue
            escaped = self._buffer[position + len(_ESCAPE) : position + _ESCAPED_BYTES]
            if escaped == _ESCAPE:
                self._searched = position + _ESCAPED_BYTES
            elif escaped == _BEGIN:
                self._drop(position, "bytes of a frame that was cut off")
            elif escaped[0] == _END and escaped[1] <= _PADDING_MAX:
                frame = bytes(self._buffer[: position + _ESCAPED_BYTES])
                if checksum_fits(frame[:-2], int.from_bytes(frame[-2:], "big")):
                    self._drop_to(position + _ESCAPED_BYTES)
                    self._in_step = True
                    return frame[len(_START) : position - frame[-3]].replace(_ESCAPE + _ESCAPE, _ESCAPE)
                self._refuse("a frame whose CRC is wrong; check the optical head")
            else:
                # Four bytes of data that a meter forgot to double, or noise: the CRC at the end decides.
                self._searched = position + 1
        return None

    def _find_start(self) -> bool:
        """Whether the buffer starts with a start sequence, after dropping what stands before one."""
        if self._buffer.startswith(_START):
            return True
        position = self._buffer.find(_START)
        kept = position if position >= 0 else len(self._buffer) - len(_START) + 1
        if kept > 0:
            self._drop(kept, "bytes before a frame")
        return position >= 0

    def _refuse(self, what: str) -> None:
        """Refuse the frame begun; a whole one may start within it, if this one lost its end."""
        self._counters.errors += 1
        self._drop(1, what)
        self._counters.last_error = what

    def _drop(self, count: int, what: str) -> None:
        self._counters.resyncs += self._in_step
        self._in_step = False
        self._counters.bytes_dropped += count
        self._counters.last_error = f"dropped {count} {what}"
        self._drop_to(count)

    def _drop_to(self, position: int) -> None:
        del self._buffer[:position]
        self._searched = len(_START)
