"""What a vehicle did in the zone, as numbers that a measurement and its refusals are judged on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from devices.camera.speed.estimators import deltas, deviations, median_of_deltas, robust_deviation, theil_sen

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """Points in the order of their times, more than DELTA_POINTS: `seconds` (n,), places `metres` (n, 2) on the road.

    `sigmas_m` (n,): how surely the picture shows where on the road each of them is (standard uncertainty).
    """

    seconds: Array
    metres: Array
    sigmas_m: Array

    @cached_property
    def course(self) -> Array:
        """Unit vector (2,) of the way it went: the median of the deltas, so that no dirty end turns it."""
        velocity = np.median(deltas(self.metres, self.seconds), axis=0)
        return np.asarray(velocity / max(float(np.hypot(*velocity)), np.finfo(np.float64).tiny))

    @cached_property
    def along_m(self) -> Array:
        """Places (n,) along the course, from the first point."""
        return np.asarray((self.metres - self.metres[0]) @ self.course)

    @property
    def duration_s(self) -> float:
        """From the first point to the last."""
        return float(self.seconds[-1] - self.seconds[0])

    @cached_property
    def span_m(self) -> float:
        """From the first point to the last along the course."""
        return float(self.along_m[-1])

    @cached_property
    def longest_gap_s(self) -> float:
        """Between two points."""
        return float(np.diff(self.seconds).max())

    @cached_property
    def speed_m_s(self) -> float:
        """By the median of deltas: what is published."""
        return median_of_deltas(self.along_m, self.seconds)

    @cached_property
    def second_speed_m_s(self) -> float:
        """By Theil-Sen: what it is held against."""
        return theil_sen(self.along_m, self.seconds)

    @cached_property
    def deviations_m(self) -> Array:
        """How far (n,) the points lie from steady motion at the published speed."""
        return deviations(self.along_m, self.seconds, self.speed_m_s)

    @cached_property
    def residual_m(self) -> float:
        """The robust deviation from steady motion."""
        return robust_deviation(self.deviations_m)

    @cached_property
    def sideways_m(self) -> float:
        """The robust deviation from a straight course."""
        aside = (self.metres - self.metres[0]) @ np.array([-self.course[1], self.course[0]])
        straight = np.polyfit(self.along_m, aside, 1)
        return robust_deviation(aside - np.polyval(straight, self.along_m))

    @cached_property
    def change_m_s(self) -> float:
        """By how much its speed in the second half of the deltas was greater than in the first."""
        rates = deltas(self.along_m, self.seconds)
        half = len(rates) // 2
        return float(np.median(rates[-half:]) - np.median(rates[:half])) if half else 0.0
