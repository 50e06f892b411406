"""Where in a standing queue one vehicle moves off and the next one, which hides its foot, does not yet.

A driver moves off only once the one ahead has. Two vehicles of which nothing else tells that they are two are seen to
be two then, for as long as that takes: a second or so.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from devices.camera.vehicles.outline import CAR_HEIGHT_MIN_M

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image
    from devices.camera.vehicles.segment import Segment
    from devices.camera.vehicles.view import View

    Shape = npt.NDArray[np.bool_]

_BACK_US = 400_000
_FRAMES_MAX = 32
_MEDIAN_OF = 3
_BLUR = (3, 3)
_MOVED_MIN = 6
"""Grey levels, after the blur and the median of three frames: more than noise and streaks of rain."""
_STILL_SHARE_MAX, _MOVING_SHARE_MIN = 0.04, 0.2
"""Of a row's pixels, that have moved."""
_REACH_PX = 2
"""Blur and mean carry a movement so many rows too far down."""
_WIDTH_MIN_M = 1.2
_STEADY_PX = 2
_STEADY_MIN = 4
"""A vehicle that moves takes its own edges along; of one that stands the upper edge stays for so many frames."""


class _Edge(NamedTuple):
    column: float
    row: int
    frames: int


class Starting:
    """The newest images of a view, and what has moved in them."""

    def __init__(self) -> None:
        self._raw: deque[Image] = deque(maxlen=_MEDIAN_OF)
        self._calm: deque[tuple[int, Image]] = deque(maxlen=_FRAMES_MAX)
        self._moved: Shape | None = None
        self._before: list[_Edge] = []
        self._now: list[_Edge] = []

    def begin_epoch(self) -> None:
        """Presentation times begin anew."""
        self._raw.clear()
        self._calm.clear()
        self._moved = None

    def take(self, image: Image, presentation_us: int) -> None:
        """The next frame (blue, green, red), at the scale of the mask."""
        self._raw.append(np.asarray(cv2.blur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), _BLUR), np.uint8))
        self._before, self._now = self._now, []
        if len(self._raw) < _MEDIAN_OF:
            return
        first, second, third = self._raw
        calm = np.asarray(cv2.max(cv2.min(first, second), cv2.min(cv2.max(first, second), third)), np.uint8)
        self._calm.append((presentation_us, calm))
        while len(self._calm) > 1 and presentation_us - self._calm[1][0] >= _BACK_US:
            self._calm.popleft()
        then_us, then = self._calm[0]
        is_known = presentation_us - then_us >= _BACK_US
        self._moved = np.asarray(cv2.absdiff(calm, then) > _MOVED_MIN) if is_known else None

    def row(self, shape: Shape, part: Segment, view: View) -> int | None:
        """The row of `shape`, the pixels of `part`, above which it moves off; None unless it stands from there down."""
        if self._moved is None:
            return None
        window = part.extent.window(*self._moved.shape)
        counts = np.maximum(shape.sum(axis=1), 1)
        share = np.convolve((self._moved[window] & shape).sum(axis=1) / counts, np.ones(3) / 3, "same")
        moving = np.flatnonzero(share > _STILL_SHARE_MAX)
        row = int(moving[-1]) + 1 - _REACH_PX if moving.size else 0
        if row <= 0 or not self._are_two(shape, share, row, part, view):
            return None
        column = part.extent.left + float(np.flatnonzero(shape[row - 1]).mean())
        edge = _Edge(column, window[0].start + row, 1)
        known = [one.frames for one in self._before if _is_same(one, edge, part.extent.width)]
        self._now.append(edge._replace(frames=1 + max(known, default=0)))
        return row if self._now[-1].frames >= _STEADY_MIN else None

    def _are_two(self, shape: Shape, share: npt.NDArray[np.float64], row: int, part: Segment, view: View) -> bool:
        """Whether what moves, above `row`, and what stands, below it, are both as large as a vehicle."""
        scale = view.pixels_by_metre(np.array([part.foot[0], part.extent.top + row]))
        rows = max(1, round(CAR_HEIGHT_MIN_M * scale))
        return (
            min(row, len(shape) - row) >= rows
            and int(shape[:row].sum(axis=1).max()) >= _WIDTH_MIN_M * scale
            and float(share[max(0, row - 2 * rows) : row].mean()) >= _MOVING_SHARE_MIN
        )


def _is_same(one: _Edge, other: _Edge, width: float) -> bool:
    return abs(one.column - other.column) < width / 2 and abs(one.row - other.row) <= _STEADY_PX
