"""From a mask to what may be vehicles: connected parts, put together and cut apart by what is expected where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.vehicles.by_lamps import cut_by_lamps, label_at
from devices.camera.vehicles.cutting import Cutting
from devices.camera.vehicles.extent import Extent
from devices.camera.vehicles.fragments import joined
from devices.camera.vehicles.outline import CAR_HEIGHT_MIN_M, largest_outline
from devices.camera.vehicles.segment import AREA_MIN_PX, FRONT_M, Segment, front_of, is_large, whole_front_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from devices.camera.vehicles.expected import Expected
    from devices.camera.vehicles.foreground import Mask
    from devices.camera.vehicles.lamps import Lamps
    from devices.camera.vehicles.starting import Starting
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]
    Labels = npt.NDArray[np.int32]
    Shape = npt.NDArray[np.bool_]

_COVERED_SHARE = 0.25
"""A part that covers so much of where a vehicle is expected shows it."""
_GROWTH_MAX, _GROWTH_MAX_PX = 1.25, 3
_CAR_WIDTH_MAX_M, _CAR_HEIGHT_MAX_M = 2.3, 3.0


def segments_of(
    mask: Mask,
    road_seen: Shape,
    starting: Starting,
    lamps: Sequence[Lamps],
    vehicles: Sequence[Expected],
    view: View,
) -> list[Segment]:
    """What `mask` shows, given where the vehicles that are followed are expected.

    `road_seen`, of the mask's size: where there is road between vehicles that the mask does not tell apart.
    `starting`: what of the same image has moved off. `lamps`: those in it, the nearest first.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    lamps_at = [label_at(one, np.asarray(labels, np.int32)) for one in lamps]
    loose: list[Segment] = []
    found: list[Segment] = []
    for label in range(1, count):
        left, top, width, height, area = stats[label].tolist()
        shape = labels[top : top + height, left : left + width] == label
        extent = Extent(left, top, left + width, top + height)
        part = Segment(extent, area, front_of(shape, extent, view))
        if not is_large(part, view):
            is_light = any(one.light_up(extent, view) for one in lamps)
            loose += [part] if area >= AREA_MIN_PX and not is_light else []
            continue
        shining = [one for one, at in zip(lamps, lamps_at, strict=True) if at == label]
        owners = [
            owner
            for owner in _owners(np.asarray(labels, np.int32), label, extent, vehicles)
            if vehicles[owner].has_stood_apart and _reaches(extent, vehicles[owner], view)
        ]
        # Who is alone in it and the nearest is measured anew.
        known = [owner for owner in owners if len(owners) > 1 or _is_behind(part, vehicles[owner], view)]
        # From below two come into view as one, the farther first; elsewhere a part of one that moves may seem to stand.
        is_from_below = extent.bottom >= view.height_px
        still = starting.row(shape, part, view) if is_from_below and not (known or shining) else None
        if shining:
            road = road_seen[top : top + height, left : left + width]
            found += cut_by_lamps(Cutting(shape, road, part, view), shining, known, vehicles, view)
        elif still is not None:
            found += [_rows_of(shape[:still], part.extent, 0, view), _rows_of(shape[still:], part.extent, still, view)]
        elif len(owners) <= 1 and _is_one(part, [vehicles[owner] for owner in owners], view):
            found.append(part._replace(front=whole_front_of(shape, extent, view)))
        else:
            road = road_seen[top : top + height, left : left + width]
            found += _cut(Cutting(shape, road, part, view), known, vehicles)
    found = joined(found + _of_vehicle_size(loose, view), vehicles, view)
    height, width = mask.shape
    return [one._replace(is_cut=_is_cut(one.extent, width, height)) for one in found]


def _rows_of(shape: Shape, whole: Extent, first: int, view: View) -> Segment:
    """What `shape`, which are some rows of `whole` from its row `first` on, shows of it."""
    columns = np.flatnonzero(shape.any(axis=0))
    left, right = int(columns[0]), int(columns[-1]) + 1
    extent = Extent(left, first, right, first + len(shape)).moved(whole.left, whole.top)
    return Segment(extent, int(np.count_nonzero(shape)), front_of(shape[:, left:right], extent, view), is_merged=True)


def _owners(labels: Labels, label: int, seen: Extent, vehicles: Sequence[Expected]) -> list[int]:
    owners = []
    for index, (extent, *_) in enumerate(vehicles):
        if extent.overlap(seen) == 0.0:
            continue
        window = labels[extent.window(*labels.shape)]
        if np.count_nonzero(window == label) >= _COVERED_SHARE * max(window.size, 1):
            owners.append(index)
    return owners


def _reaches(seen: Extent, vehicle: Expected, view: View) -> bool:
    """Whether it goes down to where the vehicle stands, as far as that is in view."""
    foot = min(vehicle.contact[1], float(view.height_px))
    return bool(seen.bottom > foot - FRONT_M * view.pixels_by_metre(vehicle.contact))


def _is_one(part: Segment, owners: list[Expected], view: View) -> bool:
    """Whether it is no larger than a car, or than the vehicle that is expected there, and no larger than any."""
    extent, scale = part.extent, view.pixels_by_metre(part.foot)
    if extent.width <= _CAR_WIDTH_MAX_M * scale and extent.height <= _CAR_HEIGHT_MAX_M * scale:
        return True
    return any(
        extent.width <= _GROWTH_MAX * one.extent.width + _GROWTH_MAX_PX
        and extent.height <= _GROWTH_MAX * one.extent.height + _GROWTH_MAX_PX
        and extent.top >= _highest(one, extent.bottom, view) - _GROWTH_MAX_PX
        for one in owners
    )


def _highest(vehicle: Expected, bottom: float, view: View) -> float:
    """The row up to which any vehicle may reach that stands there, at row `bottom`."""
    half = vehicle.front_px / 2
    return float(largest_outline(view, vehicle.contact[0] - half, vehicle.contact[0] + half, bottom)[:, 1].min())


def _cut(cutting: Cutting, owners: list[int], vehicles: Sequence[Expected]) -> list[Segment]:
    """Its share to each of the owners, the nearest first, as it hides the others; then what else stands on the road."""
    for owner in sorted(owners, key=lambda index: -vehicles[index].extent.bottom):
        cutting.take_expected(owner, vehicles[owner].contact, vehicles[owner].front_px)
    return cutting.rest()


def _is_behind(part: Segment, vehicle: Expected, view: View) -> bool:
    """Whether so much of `part` is nearer than the vehicle that another one has come before it."""
    nearer_px = part.extent.bottom - vehicle.extent.bottom
    return bool(nearer_px > CAR_HEIGHT_MIN_M * view.pixels_by_metre(part.foot))


def _of_vehicle_size(parts: list[Segment], view: View) -> list[Segment]:
    """Parts put together while they make up no more than one car, less what is then smaller than a bicycle."""
    found: list[Segment] = []
    for part in sorted(parts, key=lambda part: -part.area_px):
        for index, other in enumerate(found):
            joined = other.extent.joined(part.extent)
            lower = max(other, part, key=lambda one: one.extent.bottom)
            scale = view.pixels_by_metre(lower.foot)
            if joined.width <= _CAR_WIDTH_MAX_M * scale and joined.height <= _CAR_HEIGHT_MAX_M * scale:
                found[index] = Segment(joined, other.area_px + part.area_px, lower.front)
                break
        else:
            found.append(part)
    return [one for one in found if is_large(one, view)]


def _is_cut(extent: Extent, width: int, height: int) -> bool:
    return extent.left <= 0 or extent.right >= width or extent.bottom >= height
