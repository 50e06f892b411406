"""Whether what is seen has the texture of the road: then it is the road, in whatever light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image

    Floats = npt.NDArray[np.float32]

_AROUND_PX = (7, 7)
DARK_CURRENT = np.float32(16.0)
"""Grey levels added to both sides of a ratio, so that noise in the dark does not look like structure."""
_NOISE = np.float32(1e-7)
"""Squared contrasts; below it, as where all is clipped, nothing is alike."""


def likeness(image: Image, road: Image) -> Floats:
    """The correlation of two grey images' contrasts around each pixel, -1 to 1.

    Light multiplies what is lit, so that on a logarithmic scale the texture of a surface stays as it is.
    """
    seen, known = _contrast(image), _contrast(road)
    powers = cv2.multiply(_mean(seen * seen), _mean(known * known))
    return np.asarray(_mean(seen * known) / cv2.sqrt(powers + _NOISE), np.float32)


def _contrast(grey: Image) -> Floats:
    logarithm = np.asarray(cv2.log(grey + DARK_CURRENT), np.float32)
    return logarithm - _mean(logarithm)


def _mean(values: Floats) -> Floats:
    return np.asarray(cv2.blur(values, _AROUND_PX), np.float32)
