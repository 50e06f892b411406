"""Small bright spots, white and red, that may be lamps."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from devices.camera.frame import Image
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]

_WHITE_MIN, _RED_MIN = 240, 90
"""Grey levels: of the darkest colour; of red over the others, less what is as red around it. White paint in rain stays
below the former; a wet road's picture of a tail lamp may be above the latter, and is told by its shape."""
_AROUND_PX = 13
"""Less than a vehicle's red end is wide, where a lamp is more than a pixel."""
_SPOTS_MAX = 30
"""Of a colour: beyond it they are snow, or glitter in the wet, and every two of them would be looked at."""
_DIAMETER_MAX_M, _GLARE_PX = 0.7, 3
_UPRIGHT_MAX = 1.5
"""A wet road draws a lamp's picture out towards the camera."""
_MIRRORED_M, _MIRRORED_ASIDE_M = (0.8, 2.4), 0.4
_MIRRORED_SHARE_MAX = 0.75
"""Of the lamp's brightness."""


class Spot(NamedTuple):
    """`middle` (2,): pixel of the picture; `peak`: its brightness, grey levels."""

    middle: Array
    area_px: int
    peak: float
    is_white: bool


def lamp_spots(picture: Image, to_view: Array, view: View) -> list[Spot]:
    """Those in `picture` (blue, green, red) that are no mirror images; `to_view` (2,): the view's pixels by its own."""
    blue, green, red = cv2.split(picture)
    white = np.asarray(cv2.min(cv2.min(blue, green), red), np.uint8)
    spots = list(islice(_bright(white, _WHITE_MIN, to_view, view, is_white=True), _SPOTS_MAX))
    excess = np.asarray(cv2.subtract(red, cv2.max(blue, green)), np.uint8)
    if excess.max() >= _RED_MIN:
        around = np.ones((_AROUND_PX, _AROUND_PX), np.uint8)
        redder = np.asarray(cv2.morphologyEx(excess, cv2.MORPH_TOPHAT, around), np.uint8)
        spots += islice(_bright(redder, _RED_MIN, to_view, view, is_white=False), _SPOTS_MAX)
    return [one for one in spots if not any(_is_mirrored(one, other, to_view, view) for other in spots)]


def _bright(light: Image, least: int, to_view: Array, view: View, *, is_white: bool) -> Iterator[Spot]:
    """Those at least so bright, the largest first."""
    bright = (light >= least).astype(np.uint8)
    # Of few and small spots contours are found in a tenth of the time that labels take.
    contours = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    for contour in sorted(contours, key=len, reverse=True):
        left, top, width, height = cv2.boundingRect(contour)
        window = np.s_[top : top + height, left : left + width]
        moments = cv2.moments(bright[window], binaryImage=True)
        area = round(moments["m00"])
        # OpenCV counts from the pixels' centres.
        middle = np.array([left + moments["m10"] / area, top + moments["m01"] / area]) + 0.5
        if not np.isfinite(view.ground(middle * to_view)).all():
            continue
        most = _DIAMETER_MAX_M * view.pixels_by_metre(middle * to_view) / float(to_view[0]) + _GLARE_PX
        is_round = max(width, height) <= most and height <= _UPRIGHT_MAX * width + 1
        if is_round and top + height < light.shape[0]:
            yield Spot(middle, area, float(light[window].max()), is_white)


def _is_mirrored(one: Spot, other: Spot, to_view: Array, view: View) -> bool:
    """Whether `one` is what a wet road mirrors of `other`."""
    if one.is_white is not other.is_white or one.peak >= _MIRRORED_SHARE_MAX * other.peak:
        return False
    aside, below = ((one.middle - other.middle) * to_view / view.pixels_by_metre(other.middle * to_view)).tolist()
    return bool(abs(aside) < _MIRRORED_ASIDE_M and _MIRRORED_M[0] < below < _MIRRORED_M[1])
