"""MJPEG's multipart stream taken apart: any bytes give JPEG pictures, or counted damage.

`multipart/x-mixed-replace` has no standard of its own; its parts are delimited as RFC 2046, section 5.1.1, says.
Cameras differ: a boundary that already begins with two hyphens, parts without Content-Length, bare line feeds, padding
after the picture. `X-Timestamp` (seconds and a fraction) is what mjpg-streamer and cameras like it say of a picture.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

PART_BYTES_MAX = 8 << 20
HEAD_BYTES_MAX = 8 << 10
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,8})[ \t]*\r?$")
_TIMESTAMP = re.compile(rb"(?im)^x-timestamp:[ \t]*(\d{1,12}(?:\.\d{1,9})?)[ \t]*\r?$")
_START_OF_IMAGE, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"
_PADDING = b"\0\r\n"


class Part(NamedTuple):
    """A picture; `stream_us` is its time by the camera's clock, in µs, where the part tells it."""

    jpeg: bytes
    stream_us: int | None


class Multipart:
    """Takes the stream in pieces of any size; holds at most one part. `boundary`: as the Content-Type says it."""

    def __init__(self, boundary: str, part_bytes_max: int = PART_BYTES_MAX) -> None:
        self._part_bytes_max = part_bytes_max
        self._delimiter = b"--" + boundary.encode("latin-1").removeprefix(b"--")
        self._buffer = bytearray()
        self._searched = 0
        self._head: bytes | None = None
        self._is_in_part = False
        self.damaged = 0
        """Parts that were left out: too long, cut off, or no picture."""

    def feed(self, data: bytes) -> list[Part]:
        """The pictures that are whole with these bytes."""
        self._buffer += data
        parts: list[Part] = []
        while self._step(parts):
            pass
        return parts

    def _step(self, parts: list[Part]) -> bool:
        """One step further; false where more bytes are needed."""
        if not self._is_in_part:
            return self._find_part()
        if self._head is None:
            return self._find_head()
        length = _LENGTH.search(self._head)
        return self._take_until_delimiter(parts) if length is None else self._take_length(int(length[1]), parts)

    def _find_part(self) -> bool:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            del self._buffer[: max(0, len(self._buffer) - len(self._delimiter) + 1)]
            return False
        del self._buffer[: at + len(self._delimiter)]
        self._is_in_part, self._head, self._searched = True, None, 0
        return True

    def _find_head(self) -> bool:
        end = _HEAD_END.search(self._buffer, 0, HEAD_BYTES_MAX)
        if end is None:
            return len(self._buffer) >= HEAD_BYTES_MAX and self._leave_out()
        self._head = bytes(self._buffer[: end.start()])
        del self._buffer[: end.end()]
        return True

    def _take_length(self, length: int, parts: list[Part]) -> bool:
        if length > self._part_bytes_max:
            return self._leave_out()
        if len(self._buffer) < length:
            return False
        if not self._add(bytes(self._buffer[:length]), parts):
            # The length may be wrong: the next part's beginning may lie within it.
            return self._leave_out()
        del self._buffer[:length]
        self._is_in_part = False
        return True

    def _take_until_delimiter(self, parts: list[Part]) -> bool:
        at = self._buffer.find(self._delimiter, self._searched)
        if at < 0:
            self._searched = max(0, len(self._buffer) - len(self._delimiter) + 1)
            is_too_long = len(self._buffer) > self._part_bytes_max + len(self._delimiter)
            return is_too_long and self._leave_out()
        # However it came: a part that is too long is one in pieces and at once.
        if at > self._part_bytes_max or not self._add(bytes(self._buffer[:at]), parts):
            return self._leave_out()
        del self._buffer[:at]
        self._is_in_part = False
        return True

    def _add(self, body: bytes, parts: list[Part]) -> bool:
        jpeg = body.rstrip(_PADDING)
        if not (jpeg.startswith(_START_OF_IMAGE) and jpeg.endswith(_END_OF_IMAGE)):
            return False
        assert self._head is not None
        told = _TIMESTAMP.search(self._head)
        parts.append(Part(jpeg, None if told is None else int(Decimal(told[1].decode()) * 1_000_000)))
        return True

    def _leave_out(self) -> bool:
        self.damaged += 1
        self._is_in_part = False
        return True
