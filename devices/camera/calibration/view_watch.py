"""Whether the camera still looks the same way as when its calibration was confirmed."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from devices.camera.calibration.edge_directions import edge_directions
from devices.camera.calibration.view_reference import PATCH_PX, PATCHES_MIN

if TYPE_CHECKING:
    from devices.camera.calibration.edge_directions import Directions
    from devices.camera.calibration.view_reference import ViewReference
    from devices.camera.frame import Image

MOVED_PX = 1.0
"""Of a frame 640 px wide: what adds as much to a speed's uncertainty as an ordinary survey."""
_SEARCH_RADII_PX = (8, 56)
_SCORE_MIN = 0.45
_AGREEING_SHARE_MIN = 0.5
_FOUND_SHARE_MIN = 0.3
_AGREEING_WITHIN_PX = 1.5
_MOVED_TAKES = 2
_UNKNOWN_TAKES = 4


class ViewState(enum.StrEnum):
    """Only while the view is `confirmed` may a speed be published."""

    CONFIRMED = "confirmed"
    MOVED = "moved"
    UNKNOWN = "unknown"


class _Match(NamedTuple):
    at: tuple[float, float]
    shift: tuple[float, float]


class ViewWatch:
    """Follows the view, one frame every second or so.

    Patches of the reference are searched for in the frame, and a movement (shift, turn, zoom) is fitted to where they
    are; those hidden by vehicles or changed by light do not agree, and are left out. Starts as UNKNOWN.
    """

    def __init__(self, reference: ViewReference) -> None:
        self._reference = reference
        self._templates = [np.ascontiguousarray(patch, dtype=np.float32) for patch in reference.patches]
        self._moved = self._undecided = 0
        self.state = ViewState.UNKNOWN

    def take(self, image: Image) -> float | None:
        """How far the view has moved since it was confirmed, and `state` from now on.

        Root mean square over the frame, in pixels of a frame 640 px wide; None where the frame does not tell (night,
        fog, a lorry in front, a lens covered, or a view that is quite another).
        """
        displacement = self._displacement(image)
        if displacement is None:
            self._undecided += 1
            if self._undecided >= _UNKNOWN_TAKES and self.state is not ViewState.MOVED:
                self.state = ViewState.UNKNOWN
            return None
        self._undecided = 0
        self._moved = self._moved + 1 if displacement >= MOVED_PX else 0
        if not self._moved:
            self.state = ViewState.CONFIRMED
        elif self._moved >= _MOVED_TAKES:
            self.state = ViewState.MOVED
        return displacement

    def _displacement(self, image: Image) -> float | None:
        directions = edge_directions(image, self._reference.size)
        for radius in _SEARCH_RADII_PX:
            displacement = self._fitted(self._matches(directions, radius))
            if displacement is not None:
                return displacement
        return None

    def _matches(self, directions: Directions, radius: int) -> list[_Match]:
        found = []
        for template, (x, y) in zip(self._templates, self._reference.corners.tolist(), strict=True):
            left, top = max(0, x - radius), max(0, y - radius)
            window = directions[top : y + PATCH_PX + radius, left : x + PATCH_PX + radius]
            scores = cv2.matchTemplate(window, template, cv2.TM_CCOEFF_NORMED)
            _, best, _, (column, row) = cv2.minMaxLoc(scores)
            if best >= _SCORE_MIN and 0 < column < scores.shape[1] - 1 and 0 < row < scores.shape[0] - 1:
                across = _vertex(*scores[row, column - 1 : column + 2].tolist())
                down = _vertex(*scores[row - 1 : row + 2, column].tolist())
                found.append(_Match((x, y), (left + column + across - x, top + row + down - y)))
        return found

    def _fitted(self, matches: list[_Match]) -> float | None:
        if len(matches) < max(PATCHES_MIN, _FOUND_SHARE_MIN * len(self._templates)):
            return None
        before = np.array([match.at for match in matches])
        after = before + [match.shift for match in matches]
        motion, agreeing = cv2.estimateAffinePartial2D(
            before, after, method=cv2.RANSAC, ransacReprojThreshold=_AGREEING_WITHIN_PX
        )
        if motion is None or int(agreeing.sum()) < max(PATCHES_MIN, _AGREEING_SHARE_MIN * len(matches)):
            return None
        corners = self._reference.corners.astype(np.float64)
        moved = corners @ motion[:, :2].T + motion[:, 2] - corners
        return math.sqrt(float((moved**2).sum(axis=1).mean()))


def _vertex(before: float, at: float, after: float) -> float:
    """Where the parabola through three scores is highest, from the middle one."""
    bend = before - 2 * at + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
