"""How OpenCV opens a stream here: with timeouts, and without a word on standard error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cv2

from devices.camera.source.address import Transport
from devices.camera.source.errors import SourceError, StreamLostError
from devices.camera.source.jpeg import PIXELS_MAX

if TYPE_CHECKING:
    from devices.camera.source.address import Address
    from devices.camera.source.settings import SourceSettings

_FFMPEG = {
    # AV_LOG_QUIET: its messages quote URLs with their passwords.
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    # Over UDP a lost packet is a smeared picture. Two pictures are enough to find out the rate, which nobody asks for:
    # twenty of them would take a second more to open.
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_transport;tcp|fpsprobesize;2",
}


def open_video(address: Address, settings: SourceSettings, *, is_compressed: bool = False) -> cv2.VideoCapture:
    """An open capture; `is_compressed`: its pictures are left as they came.

    Raises StreamLostError, and SourceError for larger pictures than a camera's.
    """
    os.environ |= _FFMPEG
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if address.transport is Transport.V4L2:
        video = cv2.VideoCapture(address.url, cv2.CAP_V4L2)
    else:
        options = _options(settings, is_compressed=is_compressed)
        video = cv2.VideoCapture(address.url_with_credentials, cv2.CAP_FFMPEG, options)
    if not video.isOpened():
        raise StreamLostError(f"{address.place}: no video there within {settings.open_timeout_ms} ms")
    width, height = (int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > PIXELS_MAX:
        video.release()
        raise SourceError(
            f"{address.place}: its pictures are {width}x{height}; let the camera send {PIXELS_MAX} pixels at most"
        )
    return video


def read_video(video: cv2.VideoCapture) -> cv2.typing.MatLike | None:
    """The next picture; None if there is none, for whatever reason."""
    try:
        is_read, picture = video.read()
    except cv2.error:
        return None
    return picture if is_read else None


def _options(settings: SourceSettings, *, is_compressed: bool) -> list[int]:
    options = {
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: settings.open_timeout_ms,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC: settings.read_timeout_ms,
        # More threads of decoding hold back as many pictures.
        cv2.CAP_PROP_N_THREADS: 1,
    }
    if is_compressed:
        options[cv2.CAP_PROP_FORMAT] = -1
    return [number for option in options.items() for number in option]
