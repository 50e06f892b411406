"""Parts of one vehicle that its picture falls into, where its paint or its glass is like the road: put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.vehicles.outline import CAR_HEIGHT_MIN_M, CAR_WIDTH_MIN_M, outline

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from devices.camera.vehicles.expected import Expected
    from devices.camera.vehicles.extent import Extent
    from devices.camera.vehicles.segment import Segment
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]

_INSIDE_MIN = 3
"""Of five points of a part."""
_OWN_SHARE = 0.5


def joined(parts: list[Segment], vehicles: Sequence[Expected], view: View) -> list[Segment]:
    """Each nearest part with what is no vehicle by itself and lies where one that stands there may reach.

    What is too low to be a vehicle, such as a bumper, takes whatever is right over it. A part that shows a vehicle
    which was seen alone before stays one; over lamps only if its own were seen before.
    """
    whole: list[Segment] = []
    for part in sorted(parts, key=lambda one: -one.extent.bottom):
        base = next((index for index, one in enumerate(whole) if _is_of(part, one, vehicles, view)), None)
        if base is None:
            whole.append(part)
        else:
            one = whole[base]
            whole[base] = one._replace(extent=one.extent.joined(part.extent), area_px=one.area_px + part.area_px)
    return whole


def _is_of(part: Segment, base: Segment, vehicles: Sequence[Expected], view: View) -> bool:
    left, right = base.front
    scale = view.pixels_by_metre(base.foot)
    if part.is_merged or part.is_by_lamps or right - left < CAR_WIDTH_MIN_M * scale:
        return False
    if base.is_by_lamps:
        if any(vehicle.has_shone and _is_own(part.extent, base.extent, vehicle) for vehicle in vehicles):
            return False
        return is_within(part.extent, base.front, base.extent.bottom, view)
    is_base_low = base.extent.bottom < view.height_px and base.extent.height < CAR_HEIGHT_MIN_M * scale
    if not (is_base_low or _is_small(part, view)):
        return False
    if not is_base_low and any(_is_own(part.extent, base.extent, vehicle) for vehicle in vehicles):
        return False
    return is_within(part.extent, base.front, base.extent.bottom, view)


def is_within(part: Extent, front: tuple[float, float], bottom: float, view: View) -> bool:
    """Whether `part` lies where a vehicle may reach whose nearer end is from one column of `front` to the other."""
    around = outline(view, *front, bottom).astype(np.float32)
    return sum(cv2.pointPolygonTest(around, point, measureDist=False) >= 0 for point in _points(part)) >= _INSIDE_MIN


def _is_small(part: Segment, view: View) -> bool:
    scale = view.pixels_by_metre(part.foot)
    left, right = part.front
    return right - left < CAR_WIDTH_MIN_M * scale or part.extent.height < CAR_HEIGHT_MIN_M * scale


def _is_own(part: Extent, base: Extent, vehicle: Expected) -> bool:
    is_there = vehicle.has_stood_apart and vehicle.extent.overlap(part) > _OWN_SHARE
    return is_there and vehicle.extent.overlap(base) < _OWN_SHARE


def _points(extent: Extent) -> list[tuple[float, float]]:
    columns = (extent.left + extent.width / 4, extent.right - extent.width / 4)
    rows = (extent.top + extent.height / 4, extent.bottom - extent.height / 4)
    middle = ((extent.left + extent.right) / 2, (extent.top + extent.bottom) / 2)
    return [middle, *((column, row) for column in columns for row in rows)]
