"""What stays of a view in any light: its edges' directions, not their strength, nor which side is brighter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image

    Directions = npt.NDArray[np.float32]
    """Height x width x 2: cosine and sine of twice the edge's angle, times its distinctness, 0 to 1."""

_GRADIENT_MIN = 12.0
"""Sobel units: 1.5 grey levels a pixel."""


def edge_directions(image: Image, size: tuple[int, int]) -> Directions:
    """The edge directions of a frame, brought to `size` (width, height).

    Twice the angle makes light-to-dark the same as dark-to-light, so that lamps at night show the edge that the sun
    did: J. Bigün, G. Granlund, Optimal orientation detection of linear symmetry, ICCV 1987.
    """
    sized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(cv2.cvtColor(sized, cv2.COLOR_BGR2GRAY), (0, 0), 1.0)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    squared = across * across + down * down
    # Noise and rain put small gradients everywhere: half of all pixels are no edge.
    floor = np.float32(max(_GRADIENT_MIN**2, 4.0 * float(np.median(squared))))
    distinct = squared + floor
    return np.dstack([(across * across - down * down) / distinct, 2 * across * down / distinct])
