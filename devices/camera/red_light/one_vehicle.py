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
RUNNING_M_S = 3.0
ACCELERATION_MAX_M_S2 = 8.0
"""An emergency stop on dry asphalt."""
ALONG_ERROR_M, ACROSS_ERROR_M = 1.5, 1.0


def seen_through(points: Sequence[TrackPoint]) -> list[TrackPoint]:
    """Of `points`, which end behind the line, the last that are surely of one vehicle; none if the very last is not.

    After it was merged with another it must be where its speed before had brought it, within 0.8 s; so must the merged
    points themselves to count, and only of a vehicle that runs: one that stands is any other that is there as well.
    """
    chain: list[TrackPoint] = []
    is_next = False
    for point in points:
        passed_us = point.presentation_us - chain[-1].presentation_us if chain else 0
        if not point.is_whole:
            is_next = bool(chain) and _is_where_it_must_be(chain, point, passed_us, RUNNING_M_S)
            chain += [point] if is_next else []
            continue
        is_clear = is_next and chain[-1].is_whole and passed_us <= GAP_MAX_US
        if not is_clear and not (chain and _is_where_it_must_be(chain, point, passed_us, 0.0)):
            chain = []
        chain.append(point)
        is_next = True
    return chain if is_next else []


def _is_where_it_must_be(chain: Sequence[TrackPoint], point: TrackPoint, passed_us: int, speed_min_m_s: float) -> bool:
    last = chain[-1]
    since = chain[bisect_left(chain, last.presentation_us - SPEED_MAX_US, key=lambda one: one.presentation_us)]
    measured_us = last.presentation_us - since.presentation_us
    if passed_us > HIDDEN_MAX_US or measured_us < SPEED_MIN_US:
        return False
    moved_x, moved_y = last.x_m - since.x_m, last.y_m - since.y_m
    moved_m = math.hypot(moved_x, moved_y)
    if moved_m < speed_min_m_s * measured_us / 1e6:
        return False
    away_x = point.x_m - last.x_m - moved_x * passed_us / measured_us
    away_y = point.y_m - last.y_m - moved_y * passed_us / measured_us
    unknown_m = ACCELERATION_MAX_M_S2 * (passed_us / 1e6) ** 2 / 2
    if moved_m < ACROSS_ERROR_M:  # it stood: any way may have been ahead
        return math.hypot(away_x, away_y) <= ACROSS_ERROR_M + unknown_m
    along_m = (away_x * moved_x + away_y * moved_y) / moved_m
    across_m = (away_x * moved_y - away_y * moved_x) / moved_m
    return abs(along_m) <= ALONG_ERROR_M + unknown_m and abs(across_m) <= ACROSS_ERROR_M
