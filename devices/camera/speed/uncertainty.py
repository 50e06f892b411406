"""The uncertainty of a measured speed, term by term (JCGM 100:2008, GUM; SPEED.md has it as a table).

Terms are standard uncertainties relative to the speed, independent, and added in quadrature; the sum is expanded with
the coverage factor k = 2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from devices.camera.speed.estimators import DELTA_POINTS

if TYPE_CHECKING:
    from devices.camera.speed.contact import ContactPoint
    from devices.camera.speed.path import Path

COVERAGE_FACTOR = 2.0

_TIME_RESOLUTION_S = 0.001
"""Containers and multipart headers round to milliseconds."""
_CLOCK_RATE = 1e-4
"""How far a camera's quartz may run wrong, as a share of the time."""
_RECTANGULAR = math.sqrt(3.0)
"""From the half-width of a rectangular distribution to its standard deviation (GUM 4.3.7)."""


class Budget(NamedTuple):
    """Relative standard uncertainties of a speed."""

    survey: float
    time: float
    fit: float
    estimators: float
    contact_height: float
    contact_drift: float

    @property
    def expanded(self) -> float:
        """Relative expanded uncertainty (k = 2)."""
        return COVERAGE_FACTOR * math.hypot(*self)


def budget(path: Path, survey_m: float, contact: ContactPoint, camera_height_m: float) -> Budget:
    """The terms for the speed of a vehicle that took `path`.

    `survey_m`: the expanded uncertainty of the length of road between its ends.
    """
    # Errors of neighbouring points are alike: what counts is how many stretches of them there are.
    stretches = max(1.0, len(path.seconds) / DELTA_POINTS)
    return Budget(
        survey=survey_m / COVERAGE_FACTOR / path.span_m,
        time=math.hypot(_TIME_RESOLUTION_S / _RECTANGULAR * math.sqrt(2.0) / path.duration_s, _CLOCK_RATE),
        fit=path.residual_m * math.sqrt(12.0 / stretches) / path.span_m,
        estimators=abs(path.speed_m_s - path.second_speed_m_s) / _RECTANGULAR / path.speed_m_s,
        contact_height=contact.height_uncertainty_m / COVERAGE_FACTOR / camera_height_m,
        contact_drift=math.hypot(path.sigmas_m[0], path.sigmas_m[-1]) / path.span_m,
    )
