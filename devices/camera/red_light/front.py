"""When the front of a vehicle passed a line, if only its rear was seen.

The contact point of a vehicle that goes away from the camera is its rear's. Its front passed the line a vehicle's
length ago, when the light may still have been yellow; how long the vehicle is cannot be seen from behind.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from devices.camera.track import VehicleClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.track import TrackPoint


class Limits(NamedTuple):
    """How long a vehicle may be, and how fast it may gain speed between 0 and 50 km/h with an impatient driver."""

    length_m: float
    acceleration_m_s2: float


# With a trailer, or a short lorry that looks like a van from behind.
_LIGHT = Limits(12.0, 4.0)
# Council Directive 96/53/EC, annex I: a road train.
_HEAVY = Limits(18.75, 2.5)
LIMITS = {
    VehicleClass.TWO_WHEELED: (Limits(3.0, 6.0),),
    VehicleClass.LIGHT: (_LIGHT,),
    VehicleClass.HEAVY: (_HEAVY,),
    VehicleClass.UNKNOWN: (_LIGHT, _HEAVY),
}
"""Of each class; what is not known may be either."""
SEEN_MIN_M, SEEN_MIN_US = 4.0, 250_000
PLACE_ERROR_M = 0.3


def front_before_us(approach: Sequence[TrackPoint], vehicle: VehicleClass) -> int | None:
    """A presentation time at which the vehicle's front was surely still before the line; None if there is none.

    `approach`: the points of its rear up to the line. Where they do not begin a vehicle's length before it, what was
    before them is taken to have been as slow as a vehicle could have been, so that its front came as early as it
    could: it gained speed all the time. One that may have stood there gives none.
    """
    times_us = [_front_before_us(approach, limits) for limits in LIMITS[vehicle]]
    known_us = [time_us for time_us in times_us if time_us is not None]
    return min(known_us) if len(known_us) == len(times_us) else None


def _front_before_us(approach: Sequence[TrackPoint], limits: Limits) -> int | None:
    at_line = approach[-1]
    for point in reversed(approach):
        if _distance_m(point, at_line) >= limits.length_m:
            return point.presentation_us
    first = approach[0]
    seen_m, seen_s = _distance_m(first, at_line), (at_line.presentation_us - first.presentation_us) / 1e6
    if seen_m < SEEN_MIN_M or seen_s < SEEN_MIN_US / 1e6:
        return None
    acceleration = limits.acceleration_m_s2
    speed = (seen_m - PLACE_ERROR_M) / seen_s - acceleration * seen_s / 2
    square = speed**2 - 2 * acceleration * (limits.length_m - seen_m)
    if speed <= 0 or square <= 0:
        return None
    return first.presentation_us - math.ceil((speed - math.sqrt(square)) / acceleration * 1e6)


def _distance_m(one: TrackPoint, other: TrackPoint) -> float:
    return math.hypot(one.x_m - other.x_m, one.y_m - other.y_m)
