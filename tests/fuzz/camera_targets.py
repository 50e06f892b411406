"""Target: the multipart stream of a camera that serves MJPEG."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from devices.camera.source.multipart import HEAD_BYTES_MAX, Multipart
from tests.fuzz.target import Subject, Target

_BOUNDARY = "frame"
# Much less than the product takes: the fuzzer wants to overrun it often.
_PART_BYTES_MAX = 16 << 10
_HEADS = (
    b"Content-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: 1795000000.123456\r\n",
    b"Content-Length: %d\r\n",
    b"Content-Type: image/jpeg\r\n",
)


class MultipartSubject(Subject):
    def __init__(self) -> None:
        super().__init__()
        self._multipart = Multipart(_BOUNDARY, _PART_BYTES_MAX)

    def feed(self, data: bytes) -> list[Any]:
        parts = self._multipart.feed(data)
        self.counters.errors = self._multipart.damaged
        return [*parts]

    def silence(self) -> list[Any]:
        """The stream is opened anew."""
        self._multipart = Multipart(_BOUNDARY, _PART_BYTES_MAX)
        return []

    def held(self) -> int:
        return len(self._multipart._buffer)


def _part(head: bytes) -> bytes:
    jpeg = cv2.imencode(".jpg", np.full((16, 24, 3), 90, np.uint8))[1].tobytes()
    told = head % len(jpeg) if b"%d" in head else head
    return b"--frame\r\n" + told + b"\r\n" + jpeg + b"\r\n"


CAMERAS = (
    Target(
        "mjpeg",
        MultipartSubject,
        lambda: [_part(head) for head in _HEADS] + [b"".join(map(_part, _HEADS)) + b"--frame--\r\n"],
        lambda: _part(_HEADS[0]),
        held_bytes_max=HEAD_BYTES_MAX + _PART_BYTES_MAX + len(_BOUNDARY) + 2,
        tokens=(
            b"--frame\r\n",
            b"\r\n\r\n",
            b"Content-Length: 0\r\n",
            b"Content-Length: 99999999\r\n",
            b"X-Timestamp: 999999999999.999999999\r\n",
            b"\xff\xd8",
            b"\xff\xd9",
            b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03",
        ),
    ),
)
