"""Something that stands out from the road in one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.vehicles.extent import Extent
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]
    Shape = npt.NDArray[np.generic]

AREA_MIN_PX = 10
_AREA_MIN_M2 = 0.4
_WIDTH_MIN_M, _HEIGHT_MIN_M = 0.4, 0.6
_GAP_M = 0.3
_SIDE_SHARE_MAX = 0.5
FRONT_M = 0.7
"""So far up from the road an end is as wide as its vehicle, and no other vehicle is seen above it."""


class Segment(NamedTuple):
    """`front`: the columns of its lower end, from and to.

    `expected`: the place in the list of expected vehicles of the one that it was found by, if any.
    `is_cut`: it goes on beyond the frame's left, right or lower edge, so that where it stands is not seen.
    `is_by_lamps`: its lamps tell where it stands, which is its lower edge.
    `is_merged`: it was cut out of a part that shows several vehicles; `is_hidden_below`: another one stands before it.
    """

    extent: Extent
    area_px: int
    front: tuple[float, float]
    expected: int | None = None
    is_cut: bool = False
    is_merged: bool = False
    is_hidden_below: bool = False
    is_by_lamps: bool = False

    @property
    def foot(self) -> Array:
        """The middle of its lower edge (2,)."""
        return np.array([(self.front[0] + self.front[1]) / 2, self.extent.bottom])


def front_of(shape: Shape, extent: Extent, view: View) -> tuple[float, float]:
    """The columns of the nearest lower end of what `shape` tells the pixels of; `extent` is its place."""
    low, scale = _low_part(shape, extent, view)
    columns = np.flatnonzero(low.any(axis=0))
    # Two that stand abreast are as low as each other, with road between them.
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > max(2.0, _GAP_M * scale)) + 1)
    lowest = int(np.flatnonzero(low[-1])[0])
    run = next(one for one in runs if one[0] <= lowest <= one[-1])
    return _without_side(extent.left + int(run[0]), extent.left + int(run[-1]) + 1, low, extent, view)


def whole_front_of(shape: Shape, extent: Extent, view: View) -> tuple[float, float]:
    """The same of what is one vehicle: between its wheels, or between its lamps' images in the wet, there is road."""
    low, _ = _low_part(shape, extent, view)
    columns = np.flatnonzero(low.any(axis=0))
    return _without_side(extent.left + int(columns[0]), extent.left + int(columns[-1]) + 1, low, extent, view)


def _low_part(shape: Shape, extent: Extent, view: View) -> tuple[Shape, float]:
    scale = view.pixels_by_metre(_middle(extent))
    return shape[-max(1, round(FRONT_M * scale)) :], scale


def _without_side(left: float, right: float, low: Shape, extent: Extent, view: View) -> tuple[float, float]:
    """Less what shows of the vehicle's side in the low part, where its lane runs off to the left or the right."""
    side = len(low) * view.lean(_middle(extent))
    side = float(np.clip(side, -_SIDE_SHARE_MAX * (right - left), _SIDE_SHARE_MAX * (right - left)))
    return left - min(side, 0.0), right - max(side, 0.0)


def _middle(extent: Extent) -> Array:
    return np.array([(extent.left + extent.right) / 2, extent.bottom])


def is_large(segment: Segment, view: View) -> bool:
    """Whether it stands on the road and is as large as a bicycle with its rider."""
    extent, scale = segment.extent, view.pixels_by_metre(segment.foot)
    return bool(
        np.isfinite(view.ground(segment.foot)).all()
        and segment.area_px >= max(AREA_MIN_PX, _AREA_MIN_M2 * scale**2)
        and extent.width >= _WIDTH_MIN_M * scale
        and extent.height >= _HEIGHT_MIN_M * scale
    )
