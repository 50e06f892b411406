"""Whether the points of a track are of one vehicle.

Where vehicles hide each other their boxes merge, and a track may leave the merger with the other vehicle: one that
waits at the line with one that passes it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.track import TrackPoint

GAP_MAX_US = 400_000
HIDDEN_MAX_US = 800_000
SPEED_MIN_US, SPEED_MAX_US = 200_000, 500_000
"""A speed is told over so much time."""
ACCELERATION_MAX_M_S2 = 8.0
"""An emergency stop on dry asphalt."""
ALONG_ERROR_M, ACROSS_ERROR_M = 1.5, 1.0


def seen_through(points: Sequence[TrackPoint]) -> list[TrackPoint]:
    """Where the vehicle at the last of `points` was seen whole, as far back as that is surely one vehicle.

    It may have been merged with another, for 0.8 s, if it then was where its speed before had brought it.
    """
    whole = [index for index, point in enumerate(points) if point.is_whole]
    seen = [points[index] for index in whole]
    first = len(seen) - 1
    while first > 0:
        is_merged = whole[first] - whole[first - 1] > 1
        passed_us = seen[first].presentation_us - seen[first - 1].presentation_us
        if not (_is_where_it_must_be(seen, first, passed_us) if is_merged else passed_us <= GAP_MAX_US):
            break
        first -= 1
    return seen[first:]


def _is_where_it_must_be(seen: Sequence[TrackPoint], index: int, passed_us: int) -> bool:
    before, after = seen[index - 1], seen[index]
    since = bisect_left(seen, before.presentation_us - SPEED_MAX_US, key=lambda point: point.presentation_us)
    measured_us = before.presentation_us - seen[since].presentation_us
    if passed_us > HIDDEN_MAX_US or measured_us < SPEED_MIN_US:
        return False
    moved_x, moved_y = before.x_m - seen[since].x_m, before.y_m - seen[since].y_m
    away_x = after.x_m - before.x_m - moved_x * passed_us / measured_us
    away_y = after.y_m - before.y_m - moved_y * passed_us / measured_us
    moved_m = math.hypot(moved_x, moved_y)
    unknown_m = ACCELERATION_MAX_M_S2 * (passed_us / 1e6) ** 2 / 2
    if moved_m < ACROSS_ERROR_M:  # it stood: any way may have been ahead
        return math.hypot(away_x, away_y) <= ACROSS_ERROR_M + unknown_m
    along_m = (away_x * moved_x + away_y * moved_y) / moved_m
    across_m = (away_x * moved_y - away_y * moved_x) / moved_m
    return abs(along_m) <= ALONG_ERROR_M + unknown_m and abs(across_m) <= ACROSS_ERROR_M
