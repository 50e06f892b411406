"""A plate seen at an angle, drawn as the recogniser expects it: upright, and as high as it is high."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image

LINE_HEIGHT_PX = 48
"""Of a line of text, as PP-OCR's recognisers were trained."""


class Framing(NamedTuple):
    """How a plate is drawn: `width_px` wide, with margins beside and above and below it in parts of its height.

    Corners are found within some pixels only: a margin brings back a first or last character that they cut off.
    """

    width_px: int
    beside: float
    above_and_below: float


def rectify(image: Image, corners: npt.NDArray[np.float64], framing: Framing) -> Image:
    """The plate between `corners` (4, 2: top left, top right, bottom right, bottom left), 48 pixels high.

    What lies outside the picture repeats its edge.
    """
    upper_left, upper_right, lower_right, lower_left = corners
    width = np.hypot(*(upper_right - upper_left + lower_right - lower_left)) / 2
    height = np.hypot(*(lower_left - upper_left + lower_right - upper_right)) / 2
    beside, above = framing.beside * height, framing.above_and_below * height
    across = framing.width_px / (width + 2 * beside)
    down = LINE_HEIGHT_PX / (height + 2 * above)
    sides = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    upright = (sides + np.array((beside, above))) * np.array((across, down))
    view = cv2.getPerspectiveTransform(corners.astype(np.float32), upright.astype(np.float32))
    size = (framing.width_px, LINE_HEIGHT_PX)
    drawn = cv2.warpPerspective(image, view, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return drawn.astype(np.uint8, copy=False)
