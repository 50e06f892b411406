"""Whether a measured speed is a violation, and what its events say: integers, rounded in the driver's favour.

A speed counts as over the limit only where the whole interval of its expanded uncertainty (k = 2) lies above the
limit and the tolerance that the authority grants (guarded acceptance, JCGM 106:2012, section 8.3).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devices.camera.speed.measurement import Measurement

_MM = 1000


def passage_speed(measurement: Measurement, calibration_sha256: bytes) -> dict[str, Any]:
    """What `vehicle.passage` says of the speed beside lane, direction and class; by any clock, and it says by which."""
    return {
        "speed_mm_s": math.floor(measurement.speed_m_s * _MM),
        "uncertainty_mm_s": math.ceil(measurement.uncertainty_m_s * _MM),
        "clock": measurement.clock.value,
        "calibration_sha256": calibration_sha256,
    }


def speeding(
    measurement: Measurement,
    lane: str,
    taken_us: int,
    limit_mm_s: int,
    tolerance_mm_s: int,
    measurement_class: str,
    sha256: bytes,
) -> dict[str, Any] | None:
    """The data of `vehicle.speeding`, or None: not over the limit beyond doubt, or not by an enforceable clock.

    `taken_us`: UTC of the end of what was measured. `limit_mm_s` and `tolerance_mm_s` are the lane's;
    `measurement_class` is "approved" or "indicative", `sha256` the calibration's. Decided on
    the rounded integers, so that the event alone shows why it was one.
    """
    speed_mm_s = math.floor(measurement.speed_m_s * _MM)
    uncertainty_mm_s = math.ceil(measurement.uncertainty_m_s * _MM)
    if not measurement.is_enforceable or speed_mm_s - uncertainty_mm_s <= limit_mm_s + tolerance_mm_s:
        return None
    return {
        "lane": lane,
        "taken_us": taken_us,
        "speed_mm_s": speed_mm_s,
        "uncertainty_mm_s": uncertainty_mm_s,
        "limit_mm_s": limit_mm_s,
        "points": measurement.points,
        "residual_mm": math.ceil(measurement.residual_m * _MM),
        "span_mm": math.floor(measurement.span_m * _MM),
        "clock": measurement.clock.value,
        "class": measurement_class,
        "calibration_sha256": sha256,
    }
