"""Whether a track has the road to itself: two tracks where only one vehicle fits are two of one vehicle's parts.

A part that is seen alone, such as a lamp or a roof, moves as evenly as the vehicle, and faster by its height over the
road: nothing in its own track shows that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from devices.camera.track import TrackPoint

    Array = npt.NDArray[np.float64]

_ALONG_M, _ACROSS_M = 6.0, 1.75
"""A car's length and some; half a lane."""
_NEAR_SHARE_MAX = 0.1


def is_alone(points: Sequence[TrackPoint], course: Array, others: Iterable[Sequence[TrackPoint]]) -> bool:
    """Whether none of the `others` was that near to `points` in more than a tenth of them.

    `course` (2,) is the unit vector of the way it went; the others' points of the same frames are looked at.
    """
    places = {point.presentation_us: np.array([point.x_m, point.y_m]) for point in points}
    across = np.array([-course[1], course[0]])
    for other in others:
        gaps = [
            np.array([point.x_m, point.y_m]) - places[point.presentation_us]
            for point in other
            if point.presentation_us in places
        ]
        near = sum(abs(gap @ course) < _ALONG_M and abs(gap @ across) < _ACROSS_M for gap in gaps)
        if near > _NEAR_SHARE_MAX * len(points):
            return False
    return True
