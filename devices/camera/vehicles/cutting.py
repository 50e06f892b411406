"""One connected part of a mask cut up into the vehicles that it shows, the nearest first, as it hides the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.vehicles.extent import Extent
from devices.camera.vehicles.outline import (
    CAR_HEIGHT_MIN_M,
    CAR_WIDTH_MAX_M,
    CAR_WIDTH_MIN_M,
    CYCLE_WIDTH_MAX_M,
    SWAY_M,
    outline,
    usual_outline,
)
from devices.camera.vehicles.segment import AREA_MIN_PX, FRONT_M, Segment, front_of, is_large

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.vehicles.lamps import Lamps
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]
    Shape = npt.NDArray[np.bool_]


_HIDDEN_SHARE, _FOOT_HIDDEN_SHARE = 0.3, 0.5
_MIDDLE_SHARE = 0.6
_STEPS_MAX = 40
_EDGE_PX = 2
"""A mask reaches so far over the road."""


class Cutting:
    """`shape` tells the pixels of `part`, `road` which of them show road; what is taken from it is gone."""

    def __init__(self, shape: Shape, road: Shape, part: Segment, view: View) -> None:
        self._rest = shape.astype(np.uint8)
        self._vehicles = shape & ~road
        self._left, self._top = round(part.extent.left), round(part.extent.top)
        self._view = view
        self._found: list[Segment] = []

    def take_expected(self, owner: int, contact: Array, front_px: float) -> None:
        """What of it shows a vehicle that is expected there, as far as the road that it covers reaches."""
        sway = SWAY_M * self._view.pixels_by_metre(contact)
        half = front_px / 2
        inside = self._outline(contact[0] - half, contact[0] + half, contact[1] + sway)
        foot = self._foot(inside, contact[0], front_px)
        if foot is None:
            return
        inside[foot:] = 0
        columns = self._columns(contact[0], front_px + 2 * sway)
        front = _seen_front(
            np.asarray(self._rest[max(0, foot - self._front_rows(contact)) : foot, columns].any(axis=0)),
            self._left + columns.start,
            contact[0],
            front_px,
        )
        below = self._rest[foot : foot + 1, self._columns(contact[0], _MIDDLE_SHARE * front_px)]
        hidden = bool(np.count_nonzero(below) > _FOOT_HIDDEN_SHARE * max(1, below.size))
        self._take(inside, owner, front, is_hidden_below=hidden)

    def take_lamps(self, lamps: Lamps) -> None:
        """What of it shows the vehicle that has these lamps; a single one only where no more than a cycle is seen."""
        if lamps.is_single and not self._is_narrow_at(lamps):
            return
        end = lamps.end(self._view)
        inside = self._inside(usual_outline(self._view, *lamps.front, end.bottom))
        taken = np.argwhere(self._rest & inside)
        self._rest[inside > 0] = 0
        extent = end
        if len(taken):
            (top, left), (bottom, right) = taken.min(axis=0).tolist(), (taken.max(axis=0) + 1).tolist()
            extent = end.joined(Extent(left, top, right, bottom).moved(self._left, self._top))
        extent = extent._replace(bottom=min(end.bottom, float(self._view.height_px)))
        self._found.append(Segment(extent, len(taken), lamps.front, is_merged=True, is_by_lamps=True))

    def drop_around(self, lamps: Lamps) -> None:
        """What may be a part of the vehicle that has these lamps, and what the road before it mirrors of them."""
        self._rest[self._inside(outline(self._view, *lamps.front, float(lamps.contact[1]))) > 0] = 0
        before = lamps.before(self._view).moved(-self._left, -self._top)
        self._rest[before.window(*self._rest.shape)] = 0

    def _is_narrow_at(self, lamps: Lamps) -> bool:
        """Whether what is left is no wider than a cycle there."""
        row = min(max(round(lamps.row) - self._top, 0), self._rest.shape[0] - 1)
        column = min(max(round(float(lamps.contact[0])) - self._left, 0), self._rest.shape[1] - 1)
        gaps = np.flatnonzero(self._rest[row] == 0)
        if column in gaps:
            return False
        ends = np.concatenate([[-1], gaps, [self._rest.shape[1]]])
        after = int(np.searchsorted(ends, column))
        widest = CYCLE_WIDTH_MAX_M * self._view.pixels_by_metre(lamps.contact) + 2 * _EDGE_PX
        return bool(ends[after] - ends[after - 1] - 1 < widest)

    def _foot(self, inside: npt.NDArray[np.uint8], middle: float, width: float) -> int | None:
        """The row below a vehicle's end. What of another is in its outline may be lower beside that, but not before."""
        columns = self._columns(middle, _MIDDLE_SHARE * width)
        seen = (self._rest & inside)[::-1, columns]
        lows = seen.argmax(axis=0)[seen.any(axis=0)]
        return self._rest.shape[0] - int(np.median(lows)) if lows.size else None

    def _columns(self, middle: float, width: float) -> slice:
        half = max(1.0, width / 2)
        extent = Extent(middle - half, 0, middle + half, 1).moved(-self._left, 0)
        return extent.window(1, self._rest.shape[1])[1]

    def _front_rows(self, contact: Array) -> int:
        return max(1, round(FRONT_M * self._view.pixels_by_metre(contact)))

    def rest(self) -> list[Segment]:
        """All that was found, and what else is as large as a vehicle and not behind another."""
        for _ in range(_STEPS_MAX):
            nearest = self._nearest_visible()
            if nearest is None:
                break
            left, right = nearest.front
            if self._is_strip(nearest):
                self._drop(nearest)
            else:
                self._take(self._outline(left, right, nearest.extent.bottom))
        if len(self._found) == 1 and self._nearest_visible() is None:
            return [self._found[0]._replace(is_merged=False)]
        return self._found

    def _is_strip(self, part: Segment) -> bool:
        """Whether its lower end is narrow: beside another vehicle there is what that is wider than expected."""
        left, right = part.front
        return bool(self._found) and right - left < CAR_WIDTH_MIN_M * self._view.pixels_by_metre(part.foot)

    def _drop(self, part: Segment) -> None:
        left, right = part.front
        rows = max(1.0, FRONT_M * self._view.pixels_by_metre(part.foot))
        low = Extent(left, part.extent.bottom - rows, right, part.extent.bottom).moved(-self._left, -self._top)
        self._rest[low.window(*self._rest.shape)] = 0

    def _outline(self, left: float, right: float, bottom: float) -> npt.NDArray[np.uint8]:
        """1 where a vehicle may be seen whose nearer end is from `left` to `right` on the road at row `bottom`."""
        inside = self._inside(usual_outline(self._view, left, right, bottom))
        inside[: self._gap_above(left, right, bottom)] = 0
        return inside

    def _inside(self, corners: Array) -> npt.NDArray[np.uint8]:
        inside = np.zeros_like(self._rest)
        cv2.fillConvexPoly(inside, np.round(corners - (self._left, self._top)).astype(np.int32), 1)
        return inside

    def _gap_above(self, left: float, right: float, bottom: float) -> int:
        """The row down to which another vehicle is seen beyond the road behind this one; 0 where they touch.

        What is wider than a car is high enough to hide that, and has windows and sides as dark as a shadow.
        """
        foot = np.array([(left + right) / 2, bottom])
        scale, lean = self._view.pixels_by_metre(foot), self._view.lean(foot)
        if right - left > CAR_WIDTH_MAX_M * scale:
            return 0
        end = round(bottom) - self._top
        for row in range(min(end - round(CAR_HEIGHT_MIN_M * scale), self._rest.shape[0] - 1), 0, -1):
            if self._share_seen(row, foot[0] + lean * (end - row), right - left) < _HIDDEN_SHARE:
                return row + 1
        return 0

    def _share_seen(self, row: int, middle: float, width: float) -> float:
        """How much of the middle of a row shows vehicles."""
        seen = self._vehicles[row, self._columns(middle, _MIDDLE_SHARE * width)]
        return float(seen.mean()) if seen.size else 1.0

    def _take(
        self,
        inside: npt.NDArray[np.uint8],
        owner: int | None = None,
        front: tuple[float, float] | None = None,
        *,
        is_hidden_below: bool = False,
    ) -> None:
        taken = self._rest & inside
        pixels = np.argwhere(taken)
        self._rest[inside > 0] = 0
        if len(pixels) < AREA_MIN_PX:
            return
        top, left = pixels.min(axis=0).tolist()
        bottom, right = (pixels.max(axis=0) + 1).tolist()
        extent = Extent(left, top, right, bottom).moved(self._left, self._top)
        front = front or front_of(taken[top:bottom, left:right], extent, self._view)
        part = Segment(extent, len(pixels), front, owner, is_merged=True)
        self._found.append(part._replace(is_hidden_below=is_hidden_below or self._is_over(part)))

    def _nearest_visible(self) -> Segment | None:
        """Of what is left, the nearest that is as large as a vehicle and not behind another."""
        parts = self._parts()
        visible = [one for one in parts if is_large(one, self._view) and not self._is_over(one)]
        return max(visible, key=lambda one: one.extent.bottom, default=None)

    def _is_over(self, part: Segment) -> bool:
        """Whether another begins where `part` ends, so that where it stands on the road is hidden."""
        left, right = part.front
        end = round(part.extent.bottom) - self._top
        rows = range(max(0, end - _EDGE_PX), end + 1)
        return end < self._rest.shape[0] and all(
            self._share_seen(row, (left + right) / 2, right - left) > _HIDDEN_SHARE for row in rows
        )

    def _parts(self) -> list[Segment]:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(self._rest, connectivity=4)
        found = []
        for label in range(1, count):
            left, top, width, height, area = stats[label].tolist()
            extent = Extent(left, top, left + width, top + height).moved(self._left, self._top)
            shape = labels[top : top + height, left : left + width] == label
            found.append(Segment(extent, area, front_of(shape, extent, self._view)))
        return found


def _seen_front(strip: npt.NDArray[np.bool_], first: float, middle: float, width: float) -> tuple[float, float]:
    """From and to which column a front reaches of which `strip` shows the columns from `first` on.

    An end at which the strip does not end is another vehicle's: then the expected `width` tells, or both the width and
    the `middle`.
    """
    columns = np.flatnonzero(strip)
    if not columns.size:
        return middle - width / 2, middle + width / 2
    left, right = first + int(columns[0]), first + int(columns[-1]) + 1
    if not (strip[0] or strip[-1]):
        return left, right
    if not strip[0]:
        return left, left + width
    if not strip[-1]:
        return right - width, right
    return middle - width / 2, middle + width / 2
