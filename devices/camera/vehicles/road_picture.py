"""What the road alone looks like, at the scale at which contact points are measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image
    from devices.camera.vehicles.foreground import Mask

    Array = npt.NDArray[np.float64]
    Floats = npt.NDArray[np.float32]

WIDTH_PX = 640
_TIME_CONSTANT_S = 10.0
_AROUND_PX = 12
"""Of the mask, at its own scale: what is learnt stays clear of vehicles, their blur and their shadows' edges."""


class RoadPicture:
    """A running mean of what is no vehicle, in the exposure that the background was learnt in."""

    def __init__(self) -> None:
        self._road: Floats | None = None
        self._lessons = 0

    def restart(self) -> None:
        """The view has changed."""
        self._road = None

    def learn(self, image: Image, gain: Array, vehicles: Mask, elapsed_s: float, *, anew: Mask) -> None:
        """Learn `image` (blue, green, red), each colour times `gain`, but for where `vehicles` (any size) is 255.

        Where `anew` (any size) is 255, what was known is wrong.
        """
        normal = (image * gain.astype(np.float32)).astype(np.float32)
        if self._road is None:
            self._road, self._lessons = normal, 1
            return
        self._lessons += 1
        rate = max(1.0 - math.exp(-elapsed_s / _TIME_CONSTANT_S), 1.0 / self._lessons)
        height, width = image.shape[:2]
        clear = cv2.bitwise_not(cv2.dilate(vehicles, np.ones((_AROUND_PX + 1, _AROUND_PX + 1), np.uint8)))
        clear = cv2.resize(clear, (width, height), interpolation=cv2.INTER_NEAREST)
        cv2.accumulateWeighted(normal, self._road, rate, clear)
        cv2.copyTo(normal, cv2.resize(anew, (width, height), interpolation=cv2.INTER_NEAREST), self._road)

    def differences(self, image: Image, gain: Array, columns: Array, rows: Array) -> Array | None:
        """How far `image` is from the road (grey levels, mean over the colours) at pixels, of the same shape.

        Pixels count from their edges. None where there is no picture of the road yet, and outside the image.
        """
        if self._road is None:
            return None
        height, width = image.shape[:2]
        left, right = math.floor(columns.min()) - 1, math.ceil(columns.max()) + 1
        top, bottom = math.floor(rows.min()) - 1, math.ceil(rows.max()) + 1
        window = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
        seen, road = image[window], self._road[window]
        if seen.shape[0] < 2 or seen.shape[1] < 2:  # noqa: PLR2004 - there is nothing between one pixel
            return None
        difference = np.abs(seen * gain.astype(np.float32) - road).mean(axis=2)
        # OpenCV counts from the pixels' centres.
        x = (columns - 0.5 - window[1].start).astype(np.float32)
        y = (rows - 0.5 - window[0].start).astype(np.float32)
        sampled = cv2.remap(difference.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(sampled, np.float64)
