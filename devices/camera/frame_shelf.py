"""The last seconds of a stream, compressed, in memory: where the pictures of a violation come from."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.frame import Frame, Image

JPEG_QUALITY = 95
"""Plates are read from these pictures."""

DURATION_US = 20_000_000
"""A red light is decided seconds after the crossing; the vehicle's approach is older still."""

BYTES_MAX = 24 << 20
INTERVAL_US = 120_000
"""Eight pictures a second are enough to read a plate from, and cost half of what fifteen do."""

APART_MAX_US = 300_000
"""A picture that is further from a moment does not show it; of a camera of two frames a second none is."""


class Still(NamedTuple):
    """A frame as JPEG, with its times as `Frame` has them."""

    jpeg: bytes
    presentation_us: int
    utc_us: int
    arrival_us: int
    epoch: int

    def image(self) -> Image:
        """The pixels."""
        decoded = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None, "compressed by FrameShelf"
        return decoded.astype(np.uint8, copy=False)


def still_of(frame: Frame) -> Still:
    """A frame, compressed."""
    _, encoded = cv2.imencode(".jpg", frame.image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return Still(encoded.tobytes(), frame.presentation_us, frame.utc_us, frame.arrival_us, frame.epoch)


class FrameShelf:
    """Pictures of the newest 20 s, at most 24 MB; what is older is gone for good. For several threads.

    Those of one epoch are found together: the times of another do not compare with theirs.
    """

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._stills: deque[Still] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, frame: Frame) -> None:
        """Keep `frame`, unless the last picture is of a moment ago."""
        with self._lock:
            last = self._stills[-1] if self._stills else None
            if last and last.epoch == frame.epoch and 0 <= frame.utc_us - last.utc_us < INTERVAL_US:
                return
        still = still_of(frame)
        with self._lock:
            self._stills.append(still)
            self._bytes += len(still.jpeg)
            self._forget(frame.arrival_us)

    def between(self, epoch: int, first_us: int, last_us: int) -> tuple[Still, ...]:
        """The pictures from one UTC to another, both included."""
        return tuple(one for one in self._of(epoch) if first_us <= one.utc_us <= last_us)

    def nearest(self, epoch: int, moments_us: Sequence[int]) -> tuple[Still, ...]:
        """For each UTC the picture nearest to it; none at all where one of them shows nothing of its moment."""
        there = self._of(epoch)
        if not there:
            return ()
        found = [min((abs(one.utc_us - moment), one) for one in there) for moment in moments_us]
        return tuple(one for _, one in found) if all(apart_us <= APART_MAX_US for apart_us, _ in found) else ()

    def _of(self, epoch: int) -> tuple[Still, ...]:
        with self._lock:
            return tuple(one for one in self._stills if one.epoch == epoch)

    def _forget(self, now_us: int) -> None:
        while self._stills and (self._bytes > self._bytes_max or self._stills[0].arrival_us < now_us - DURATION_US):
            self._bytes -= len(self._stills.popleft().jpeg)
