"""Where the background shows a vehicle that has driven off since: what differs from it there is the road.

A vehicle has its edges in the image that shows it. Of what stands out from the background, a ghost has its edges in the
background and none in the image: R. Cucchiara, C. Grana, M. Piccardi, A. Prati, Detecting moving objects, ghosts, and
shadows in video streams, IEEE Transactions on Pattern Analysis and Machine Intelligence 25 (2003).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image
    from devices.camera.vehicles.foreground import Mask

    Floats = npt.NDArray[np.float32]

_AREA_MIN_PX = 30
_STANDING_MIN_SHARE = 0.8
"""Of what is to be one; the inside of a long vehicle that passes by does not seem to move either."""
_STEEPER_MIN = 6.0
"""Grey levels a pixel: more than noise."""
_LOST_MIN_SHARE = 0.3
"""Of its border: by how much more of it the background has an edge than the image has."""
_RING = np.ones((5, 5), np.uint8)
_AROUND = np.ones((7, 7), np.uint8)


def ghosts(found: Mask, standing: npt.NDArray[np.bool_], image: Image, background: Image) -> Mask:
    """255 where what was found to differ from the background is a ghost, and right beside it.

    `standing`: where it has differed for a while. All are of one size; `image` is in the exposure of the background
    (both blue, green, red).
    """
    gone = np.zeros(standing.shape, np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    stood = np.bincount(labels[standing], minlength=len(areas))
    large = np.flatnonzero((areas >= _AREA_MIN_PX) & (stood >= _STANDING_MIN_SHARE * areas))
    candidates = [label for label in large.tolist() if label != 0]
    if not candidates:
        return gone
    lost = _steepness(background) - _steepness(image)
    edges = (lost > _STEEPER_MIN).astype(np.int8) - (lost < -_STEEPER_MIN)
    for label in candidates:
        shape = np.asarray(labels == label, np.uint8)
        border = cv2.morphologyEx(shape, cv2.MORPH_GRADIENT, _RING) > 0
        if edges[border].mean() > _LOST_MIN_SHARE:
            gone[cv2.dilate(shape, _AROUND) > 0] = 255
    return gone


def _steepness(image: Image) -> Floats:
    """Grey levels a pixel, over the edge's width."""
    grey: npt.NDArray[Any] = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 4)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 4)
    return np.asarray(cv2.dilate(cv2.magnitude(across, down), np.ones((3, 3), np.uint8)), np.float32)
