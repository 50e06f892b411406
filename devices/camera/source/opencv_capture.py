"""Streams that OpenCV reads: RTSP and MPEG-TS over its FFmpeg, V4L2, and files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.frame import ClockClass
from devices.camera.source.address import Transport
from devices.camera.source.capture import Picture
from devices.camera.source.errors import SourceEndedError, StreamLostError
from devices.camera.source.opencv_video import open_video, read_video

if TYPE_CHECKING:
    from devices.camera.frame import Image
    from devices.camera.source.address import Address
    from devices.camera.source.settings import SourceSettings

CLOCKS = {
    Transport.RTSP: ClockClass.RTSP,
    Transport.MPEG_TS: ClockClass.CONTAINER,
    Transport.FILE: ClockClass.CONTAINER,
    Transport.V4L2: ClockClass.HARDWARE,
}
"""What the time of a picture is, by what the stream comes over."""
_GREY_DIMENSIONS = 2


class OpenCvCapture:
    """One opening of a stream. Raises StreamLostError if it cannot be opened in time."""

    def __init__(self, address: Address, settings: SourceSettings) -> None:
        self._place, self._transport = address.place, address.transport
        self._latency_max_ms = settings.latency_max_ms
        self._clock = CLOCKS[address.transport]
        self._video = open_video(address, settings)

    @property
    def clock(self) -> ClockClass:
        """By the kind of the stream; a V4L2 driver's only while its time stamps look like CLOCK_MONOTONIC."""
        return self._clock

    def read(self) -> Picture:
        """The next picture."""
        image = read_video(self._video)
        if image is None:
            if self._transport is Transport.FILE:
                raise SourceEndedError(f"{self._place}: played to its end")
            raise StreamLostError(f"{self._place}: the stream stopped")
        stream_ms = self._video.get(cv2.CAP_PROP_POS_MSEC)
        if self._transport is Transport.V4L2 and not 0 <= time.monotonic() * 1000 - stream_ms <= self._latency_max_ms:
            self._clock = ClockClass.ARRIVAL
        return Picture(_as_image(image), round(stream_ms * 1000))

    def close(self) -> None:
        """Release the stream."""
        self._video.release()


def _as_image(pixels: cv2.typing.MatLike) -> Image:
    if pixels.ndim == _GREY_DIMENSIONS:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    return np.asarray(pixels, dtype=np.uint8)
