"""MJPEG over HTTP, read by our own parser: OpenCV's makes up the time of each picture."""

from __future__ import annotations

import http.client
import time
from collections import deque
from typing import TYPE_CHECKING

from devices.camera.frame import ClockClass
from devices.camera.source.capture import Picture
from devices.camera.source.errors import StreamLostError
from devices.camera.source.http_stream import open_http_stream
from devices.camera.source.jpeg import decode_jpeg
from devices.camera.source.multipart import Multipart

if TYPE_CHECKING:
    from devices.camera.source.address import Address
    from devices.camera.source.counters import SourceCounters
    from devices.camera.source.multipart import Part
    from devices.camera.source.settings import SourceSettings

_READ_BYTES = 1 << 16


class MjpegCapture:
    """One opening of a stream. Raises StreamLostError, and SourceError where user or password are refused."""

    clock = ClockClass.MJPEG

    def __init__(self, address: Address, settings: SourceSettings, counters: SourceCounters) -> None:
        self._place, self._counters = address.place, counters
        self._read_timeout_s = settings.read_timeout_ms / 1000
        self._parts: deque[Part] = deque()
        self._answer = open_http_stream(address, settings)
        boundary = self._answer.headers.get_boundary()
        if not boundary:
            self.close()
            raise StreamLostError(f"{self._place}: answers with something that is no MJPEG stream")
        self._multipart = Multipart(boundary)

    def read(self) -> Picture:
        """The next picture that is whole."""
        deadline_s = time.monotonic() + self._read_timeout_s
        while True:
            while self._parts:
                part = self._parts.popleft()
                image = decode_jpeg(part.jpeg)
                if image is not None:
                    return Picture(image, part.stream_us)
                self._counters.damaged += 1
            if time.monotonic() > deadline_s:
                raise StreamLostError(f"{self._place}: no whole picture within {self._read_timeout_s} s")
            self._receive()

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()

    def _receive(self) -> None:
        try:
            data = self._answer.read1(_READ_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise StreamLostError(f"{self._place}: the stream stopped") from error
        if not data:
            raise StreamLostError(f"{self._place}: the stream ended")
        damaged_before = self._multipart.damaged
        self._parts.extend(self._multipart.feed(data))
        self._counters.damaged += self._multipart.damaged - damaged_before
