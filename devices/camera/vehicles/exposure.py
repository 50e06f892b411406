"""A camera's automatic exposure and white balance, undone: a frame as bright as the background that it is held against.

A vehicle that fills part of the view makes the camera darken or brighten all of it, within a few frames. A gain for
each colour undoes that, since exposure multiplies light and the camera's gamma is a power: the ratio of two exposures
stays a constant factor. The gain is the commonest ratio of pixel to background, which is the road's for as long as
more of the view shows road than any one other thing that is evenly brighter or darker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image

    Floats = npt.NDArray[np.float32]

_STEP = 4
"""Every so many pixels, in both directions, is enough to tell."""
_USABLE_MIN, _USABLE_MAX = 12, 240
"""Darker is noise, brighter is clipped."""
_USABLE_SHARE_MIN = 0.05
_LOG_RATIO_MAX = 1.6
_BINS = 160
_SMOOTHING = np.ones(5)
_NEAR_LOG_RATIO = 0.06


class Exposure:
    """What the newest frame is to be multiplied by to be as bright as the background: `gain` (3,), one a colour."""

    def __init__(self) -> None:
        self.gain = np.ones(3)

    def undone(self, image: Image, background: Image) -> Image:
        """`image` as it would be in the background's exposure. Keeps what it was in when too little can be compared."""
        seen = image[::_STEP, ::_STEP].reshape(-1, 3).astype(np.float32)
        known = background[::_STEP, ::_STEP].reshape(-1, 3).astype(np.float32)
        both = np.hstack((seen, known))
        usable = np.flatnonzero(((both > _USABLE_MIN) & (both < _USABLE_MAX)).all(axis=1))
        if len(usable) >= _USABLE_SHARE_MIN * len(seen):
            self.gain = np.exp(-_commonest(np.log(seen[usable] / known[usable])))
        # Four numbers are a factor for each colour to OpenCV, and no image.
        return np.asarray(cv2.multiply(image, np.append(self.gain, 0.0)), np.uint8)


def _commonest(log_ratios: Floats) -> npt.NDArray[np.float64]:
    mean = log_ratios.mean(axis=1)
    counts, edges = np.histogram(mean, _BINS, (-_LOG_RATIO_MAX, _LOG_RATIO_MAX))
    peak = int(np.convolve(counts, _SMOOTHING, "same").argmax())
    centre = (edges[peak] + edges[peak + 1]) / 2
    near = np.abs(mean - centre) < _NEAR_LOG_RATIO
    return np.asarray(np.median(log_ratios[near], axis=0) if near.any() else np.zeros(3), np.float64)
