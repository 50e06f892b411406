"""Where a vehicle is on the road and how fast: a Kalman filter of constant velocity.

Y. Bar-Shalom, X. Li, T. Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, section 6.2.2
(white noise acceleration).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

_ACCELERATION_M_S2 = 3.0
"""Braking and starting in traffic."""
_MEASURED = np.eye(2, 4)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """`state` is x, y, their rates of change (metres, metres a second); `covariance` (4 x 4) belongs to it."""

    state: Array
    covariance: Array

    @classmethod
    def at(cls, place: Array, place_covariance: Array, velocity_covariance: Array) -> Motion:
        """At rest, as far as is known, at `place` (2,)."""
        covariance = np.zeros((4, 4))
        covariance[:2, :2], covariance[2:, 2:] = place_covariance, velocity_covariance
        return cls(np.concatenate([place, np.zeros(2)]), covariance)

    @property
    def place(self) -> Array:
        """Metres (2,)."""
        return self.state[:2]

    @property
    def velocity(self) -> Array:
        """Metres a second."""
        return self.state[2:]

    @property
    def speed(self) -> tuple[float, float]:
        """Metres a second, and their standard deviation (of the velocity, in both directions together)."""
        return float(np.linalg.norm(self.velocity)), float(np.sqrt(np.trace(self.covariance[2:, 2:])))

    def after(self, elapsed_s: float) -> Motion:
        """The same, `elapsed_s` later."""
        step = np.eye(4)
        step[0, 2] = step[1, 3] = elapsed_s
        power = _ACCELERATION_M_S2**2
        noise = np.zeros((4, 4))
        noise[0, 0] = noise[1, 1] = power * elapsed_s**4 / 4
        noise[2, 2] = noise[3, 3] = power * elapsed_s**2
        noise[0, 2] = noise[2, 0] = noise[1, 3] = noise[3, 1] = power * elapsed_s**3 / 2
        return Motion(step @ self.state, step @ self.covariance @ step.T + noise)

    def moved_to(self, place: Array, place_covariance: Array) -> Motion:
        """At `place` (2,), with the velocity that it has."""
        covariance = np.zeros((4, 4))
        covariance[:2, :2], covariance[2:, 2:] = place_covariance, self.covariance[2:, 2:]
        return Motion(np.concatenate([place, self.velocity]), covariance)

    def distance(self, place: Array, place_covariance: Array) -> float:
        """Squared Mahalanobis distance of a measured place: chi-squared with two degrees of freedom."""
        innovation = place - self.place
        return float(innovation @ np.linalg.solve(self.covariance[:2, :2] + place_covariance, innovation))

    def corrected(self, place: Array, place_covariance: Array) -> Motion:
        """With a measured place taken into account."""
        spread = self.covariance[:2, :2] + place_covariance
        gain = np.linalg.solve(spread, self.covariance[:2, :]).T
        covariance = (np.eye(4) - gain @ _MEASURED) @ self.covariance
        return Motion(self.state + gain @ (place - self.place), (covariance + covariance.T) / 2)
