"""Two robust estimators of a steady speed from places along the road over time.

The median of deltas is what is published. The Theil-Sen slope (P. K. Sen, Estimates of the regression coefficient
based on Kendall's tau, JASA 63, 1968) weighs the same points in another way: a track for which it differs is none of
one steady vehicle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

DELTA_POINTS = 5
"""Between the two points of a delta: far enough that the noise of a point matters little, near enough that a dirty
end of a track spoils few deltas."""

_NORMAL = 1.4826
"""From the median absolute deviation to the standard deviation, where deviations are normal."""


def deltas(values: Array, seconds: Array) -> Array:
    """Rates (n - DELTA_POINTS, ...) of `values` (n, ...) over `seconds` (n,), each over DELTA_POINTS points."""
    elapsed = seconds[DELTA_POINTS:] - seconds[:-DELTA_POINTS]
    moved = values[DELTA_POINTS:] - values[:-DELTA_POINTS]
    return np.asarray((moved.T / elapsed).T)


def median_of_deltas(along_m: Array, seconds: Array) -> float:
    """Metres per second of places `along_m` (n,) at `seconds` (n,)."""
    return float(np.median(deltas(along_m, seconds)))


def theil_sen(along_m: Array, seconds: Array) -> float:
    """Metres per second: the median of the slopes between all pairs of points; n squared work and memory."""
    later, earlier = np.tril_indices(len(seconds), -1)
    return float(np.median((along_m[later] - along_m[earlier]) / (seconds[later] - seconds[earlier])))


def deviations(along_m: Array, seconds: Array, speed_m_s: float) -> Array:
    """How far (n,) places lie, in metres, from steady motion at that speed."""
    offsets = along_m - speed_m_s * seconds
    return np.asarray(offsets - np.median(offsets))


def robust_deviation(values: Array) -> float:
    """A standard deviation about 0 that a minority of outliers does not move."""
    return float(_NORMAL * np.median(np.abs(values)))
