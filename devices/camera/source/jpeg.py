"""A JPEG picture decoded, but only if it is no larger than a camera's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from devices.camera.frame import Image

PIXELS_MAX = 4096 * 3072
_ALONE = {0x01, *range(0xD0, 0xDA)}
_FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_NO_MARKER = 0x00


def decode_jpeg(jpeg: bytes) -> Image | None:
    """The picture; None where there is none to be read, or a larger one than 12 million pixels."""
    size = _size(jpeg)
    if size is None or not 0 < size[0] * size[1] <= PIXELS_MAX:
        return None
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _size(jpeg: bytes) -> tuple[int, int] | None:
    """Width and height by the frame header (ITU-T T.81, B.2.2): a few bytes may say 65535 by 65535."""
    at = 0
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:  # noqa: PLR2004 - a marker's first byte
        marker = jpeg[at + 1]
        if marker == _NO_MARKER:  # libjpeg looks for the next marker here: we would read another frame header than it
            return None
        if marker in _FRAME_HEADERS and at + 9 <= len(jpeg):
            return int.from_bytes(jpeg[at + 7 : at + 9]), int.from_bytes(jpeg[at + 5 : at + 7])
        at += 2 if marker in _ALONE else 1 if marker == 0xFF else 2 + int.from_bytes(jpeg[at + 2 : at + 4])  # noqa: PLR2004 - fill
    return None
