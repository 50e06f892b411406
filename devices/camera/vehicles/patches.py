"""How far a vehicle has moved in the picture, where its foot is hidden: by what is seen of its upper part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image
    from devices.camera.vehicles.extent import Extent
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]

_SIDE_MIN_PX, _SIDE_MAX_PX = 6, 32
_SEARCH_PX = 6
_SCORE_MIN = 0.7
_UPPER_SHARE = 0.6


class Patches:
    """The newest two images of a view, grey."""

    def __init__(self) -> None:
        self._before: Image | None = None
        self._now: Image | None = None

    def take(self, image: Image) -> None:
        """The next frame (blue, green, red), at the scale of the mask."""
        self._before, self._now = self._now, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)

    def contact_moved(self, extent: Extent, contact: Array, guess: Array, view: View) -> Array | None:
        """How a contact point moved (2,), pixels, since the frame before. None where the picture does not tell.

        There the vehicle was at `extent`, standing at `contact` (2,); `guess` (2,) is how it should have moved.
        """
        if self._before is None or self._now is None:
            return None
        height, width = self._now.shape
        left, right = _middle(extent.left, extent.right, width)
        top, bottom = _middle(extent.top, extent.top + _UPPER_SHARE * extent.height, height)
        if right - left < _SIDE_MIN_PX or bottom - top < _SIDE_MIN_PX:
            return None
        share = view.share_of_contact(contact, (top + bottom) / 2)
        x, y = (round(value) for value in guess * (1.0, share))
        from_x, from_y = max(0, left + x - _SEARCH_PX), max(0, top + y - _SEARCH_PX)
        area = self._now[from_y : bottom + y + _SEARCH_PX, from_x : right + x + _SEARCH_PX]
        patch = self._before[top:bottom, left:right]
        if area.shape[0] < patch.shape[0] + 2 or area.shape[1] < patch.shape[1] + 2:
            return None
        scores = np.asarray(cv2.matchTemplate(area, patch, cv2.TM_CCOEFF_NORMED), np.float32)
        _, best, _, (column, row) = cv2.minMaxLoc(scores)
        if best < _SCORE_MIN:
            return None
        across = from_x + column + _peak(scores[row, :], column) - left
        down = from_y + row + _peak(scores[:, column], row) - top
        return np.array([across, down / share])


def _middle(low: float, high: float, limit: int) -> tuple[int, int]:
    """The middle of a stretch, as far as it is in the image and not longer than a patch may be."""
    low, high = max(0.0, low), min(float(limit), high)
    spare = max(0.0, high - low - _SIDE_MAX_PX) / 2
    return round(low + spare), round(high - spare)


def _peak(scores: npt.NDArray[np.float32], at: int) -> float:
    """Where the parabola through a maximum and its neighbours is highest, from the maximum on."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, here, after = (float(value) for value in scores[at - 1 : at + 2])
    curve = before - 2 * here + after
    return (before - after) / (2 * curve) if curve < 0 else 0.0
