"""Frames to calibrate on: a picture's, or a video's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.source.errors import SourceEndedError, SourceError
from devices.camera.source.settings import SourceSettings
from devices.camera.source.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devices.camera.frame import Image

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_FIRST_FRAME_S = 10.0


def first_frame(place: str, credentials_file: Path | None = None) -> Image:
    """The picture in a file, or the first frame of a video: a file, or a camera's URL.

    Raises SourceError with a sentence when there is none.
    """
    if Path(place).suffix.lower() in _PICTURES and "://" not in place:
        return _picture(Path(place))
    return next(frames(place, credentials_file, count=1, apart_s=0.0))


def frames(place: str, credentials_file: Path | None, *, count: int, apart_s: float) -> Iterator[Image]:
    """At most `count` frames of a video, at least `apart_s` apart; fewer if a file ends before.

    Raises SourceError with a sentence when there is none, or when a camera falls silent.
    """
    source = Source(SourceSettings(place, credentials_file, in_real_time=False))
    source.start()
    try:
        taken, next_us = 0, -(1 << 62)
        deadline = time.monotonic() + _FIRST_FRAME_S
        while taken < count:
            try:
                frame = source.newest(1.0)
            except SourceEndedError:
                if not taken:
                    raise SourceError("the video has no frame; record one of some seconds") from None
                return
            if frame is None:
                if time.monotonic() > deadline:
                    raise SourceError(f"no frame came within {_FIRST_FRAME_S:.0f} s: {source.trouble or 'no picture'}")
                continue
            deadline = time.monotonic() + _FIRST_FRAME_S
            # Not by presentation times: they begin anew with each epoch.
            if frame.arrival_us >= next_us:
                next_us = frame.arrival_us + round(apart_s * 1e6)
                taken += 1
                yield frame.image
    finally:
        source.close()


def _picture(path: Path) -> Image:
    """Raises SourceError, and OSError where the file cannot be read."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes() or b"\0", dtype=np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise SourceError(f"{path} is no picture that can be read; give PNG or JPEG")
    return np.asarray(pixels, dtype=np.uint8)
