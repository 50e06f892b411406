"""Number plates, drawn in the shapes of a few countries."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from devices.sim.camera.pose import Image

_PX_PER_M = 600


class PlateShape(NamedTuple):
    """A country's plate: metres, and its colours as blue, green, red."""

    width_m: float
    height_m: float
    ground: tuple[int, int, int]
    ink: tuple[int, int, int]
    left_band: tuple[int, int, int] | None
    top_band: tuple[int, int, int] | None


SHAPES = {
    # Council Regulation (EC) 2411/98: a blue band at the left.
    "eu": PlateShape(0.52, 0.11, (235, 238, 238), (25, 22, 20), (150, 60, 0), None),
    # SAE J686: 12 by 6 inches.
    "us": PlateShape(0.305, 0.152, (238, 240, 240), (90, 30, 20), None, None),
    # Mercosur, Resolucao CONTRAN 969/2022: a blue band at the top.
    "br": PlateShape(0.40, 0.13, (240, 240, 240), (20, 20, 20), None, (140, 60, 0)),
}


def draw_plate(text: str, country: str) -> Image:
    """The plate as a picture with alpha, 600 pixels a metre. Raises KeyError for a country that is not in SHAPES."""
    shape = SHAPES[country]
    width, height = round(shape.width_m * _PX_PER_M), round(shape.height_m * _PX_PER_M)
    plate = np.full((height, width, 4), 255, np.uint8)
    plate[:, :, :3] = shape.ground
    left, top = 0, 0
    if shape.left_band is not None:
        left = round(0.045 * _PX_PER_M)
        plate[:, :left, :3] = shape.left_band
    if shape.top_band is not None:
        top = round(0.03 * _PX_PER_M)
        plate[:top, :, :3] = shape.top_band
    _letter(plate[top:, left:], text, shape.ink)
    cv2.rectangle(plate, (0, 0), (width - 1, height - 1), (*shape.ink, 255), 3)
    return plate


def _letter(field: Image, text: str, ink: tuple[int, int, int]) -> None:
    """Fill a field with letters: drawn large once, then brought to the field's size."""
    font, scale, thickness = cv2.FONT_HERSHEY_DUPLEX, 4.0, 11
    (text_width, text_height), below = cv2.getTextSize(text, font, scale, thickness)
    large = np.zeros((text_height + below, text_width), np.uint8)
    cv2.putText(large, text, (0, text_height + below // 4), font, scale, 255, thickness, cv2.LINE_AA)
    rows = np.flatnonzero(large.any(axis=1))
    columns = np.flatnonzero(large.any(axis=0))
    large = large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height = round(field.shape[0] * 0.66)
    width = min(round(field.shape[1] * 0.9), round(large.shape[1] * height / large.shape[0] * 1.0))
    mask = np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), np.float32)[:, :, None] / 255
    top, left = (field.shape[0] - height) // 2, (field.shape[1] - width) // 2
    inside = field[top : top + height, left : left + width, :3]
    inside[:] = (inside * (1 - mask) + np.array(ink) * mask).astype(np.uint8)
