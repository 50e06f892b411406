"""What kind of vehicle it is, by how wide and how long it is on the road."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from devices.camera.track import VehicleClass

if TYPE_CHECKING:
    from devices.camera.vehicles.segment import Segment
    from devices.camera.vehicles.view import View

_TWO_WHEELED_WIDTH_MAX_M = 1.2
_HEAVY_WIDTH_MIN_M = 2.35
"""Cars and vans are up to 2.1 m wide without mirrors, lorries and buses 2.4 to 2.55 m (96/53/EC, annex I)."""
_HEAVY_LENGTH_MIN_M = 11.0
_ROOF_M = 1.5
"""A car's. What is higher seems longer, by as much as its roof hides of the road."""


class SizeClass:
    """Means of a vehicle's width and length, the nearer sightings counting for more, as they show more."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._width_m = 0.0
        self._length_m = 0.0

    def take(self, segment: Segment, view: View) -> VehicleClass:
        """With a whole sighting taken into account."""
        foot, scale = segment.foot, view.pixels_by_metre(segment.foot)
        rear = np.array([foot[0], min(segment.extent.top + _ROOF_M * scale, foot[1])])
        ends = view.ground([foot, rear])
        width_m = (segment.front[1] - segment.front[0]) / scale
        length_m = float(np.linalg.norm(ends[1] - ends[0]))
        if np.isfinite(length_m):
            self._weight += scale**2
            self._width_m += (width_m - self._width_m) * scale**2 / self._weight
            self._length_m += (length_m - self._length_m) * scale**2 / self._weight
        return self._vehicle()

    def _vehicle(self) -> VehicleClass:
        if self._weight == 0.0:
            return VehicleClass.UNKNOWN
        if self._width_m < _TWO_WHEELED_WIDTH_MAX_M:
            return VehicleClass.TWO_WHEELED
        if self._width_m > _HEAVY_WIDTH_MIN_M or self._length_m > _HEAVY_LENGTH_MIN_M:
            return VehicleClass.HEAVY
        return VehicleClass.LIGHT
