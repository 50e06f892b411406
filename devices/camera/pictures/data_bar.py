"""The bar under a picture that says what was measured, where and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.frame import Image

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE = (255, 255, 255)
_ROW_PX = 26
_MARGIN_PX = 8
_SCALE = 0.6


def with_data_bar(picture: Image, rows: Sequence[str]) -> Image:
    """`picture` with `rows` of ASCII text on black below it; rows that are too long for its width are set smaller."""
    width = picture.shape[1]
    bar = np.zeros((len(rows) * _ROW_PX + 2 * _MARGIN_PX, width, 3), np.uint8)
    for index, row in enumerate(rows):
        (needed, _), _ = cv2.getTextSize(row, _FONT, _SCALE, 1)
        scale = _SCALE * min(1.0, (width - 2 * _MARGIN_PX) / max(needed, 1))
        baseline = _MARGIN_PX + (index + 1) * _ROW_PX - 7
        cv2.putText(bar, row, (_MARGIN_PX, baseline), _FONT, scale, _WHITE, 1, cv2.LINE_AA)
    return np.vstack((picture, bar))
