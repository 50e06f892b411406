"""What a person is told of a calibration: how well marks and distances fit, and how surely the road is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from devices.camera.calibration.survey import longest, noticeable_mistakes_m
from devices.camera.drawing import draw_grid, draw_lanes, draw_marks

if TYPE_CHECKING:
    from devices.camera.calibration.calibration import Reviewed
    from devices.camera.calibration.survey import Survey
    from devices.camera.frame import Image


def report(reviewed: Reviewed) -> dict[str, Any]:
    """What `wayside camera calibrate --json` prints of it; lengths in metres, uncertainties with k = 2."""
    calibration = reviewed.calibration
    told: dict[str, Any] = {
        "sha256": calibration.sha256.hex(),
        "width_px": calibration.width_px,
        "height_px": calibration.height_px,
        "lanes": [_lane(reviewed, at) for at in range(len(calibration.lanes))],
        "survey": _survey(reviewed.survey) if reviewed.survey else None,
    }
    return told


def _lane(reviewed: Reviewed, at: int) -> dict[str, Any]:
    lane, plane = reviewed.calibration.lanes[at], reviewed.calibration.plane
    zone = None
    if plane is not None and lane.speed_zone:
        start, end = _farthest_corners(plane.to_ground(lane.speed_zone))
        zone = {
            "length_m": _rounded(math.dist(start, end)),
            "uncertainty_m": _rounded(plane.length_uncertainty(start, end)),
        }
    return {"id": lane.id, "lines": list(lane.lines), "speed_zone": zone}


def _farthest_corners(corners: np.typing.NDArray[np.float64]) -> tuple[np.typing.NDArray[np.float64], ...]:
    spread = np.linalg.norm(corners[:, None] - corners[None], axis=2)
    one, other = np.unravel_index(int(spread.argmax()), spread.shape)
    return corners[one], corners[other]


def _survey(survey: Survey) -> dict[str, Any]:
    table, adjusted = survey.table, survey.adjusted
    one, other = longest(adjusted)
    ends = adjusted.ground[one], adjusted.ground[other]
    length = math.dist(*ends)
    unnoticed = float(np.abs(adjusted.unnoticed @ adjusted.plane.length_by_entries(*ends)).max())
    return {
        "date": str(table.survey_date),
        "degrees_of_freedom": adjusted.degrees_of_freedom,
        "chi_squared": _rounded(adjusted.chi_squared),
        "longest": {
            "from": table.point[one].name,
            "to": table.point[other].name,
            "length_m": _rounded(length),
            "uncertainty_m": _rounded(adjusted.plane.length_uncertainty(*ends)),
            "unnoticed_m": _rounded(unnoticed),
        },
        "marks": [
            {
                "name": point.name,
                "x_m": _rounded(place[0]),
                "y_m": _rounded(place[1]),
                "residual_px": _rounded(math.hypot(*pixels)),
                "residual_m": None if point.x_m is None else _rounded(math.hypot(*metres)),
            }
            for point, place, pixels, metres in zip(
                table.point,
                adjusted.ground.tolist(),
                adjusted.pixel_residuals.tolist(),
                adjusted.coordinate_residuals.tolist(),
                strict=True,
            )
        ],
        "distances": [
            {
                "from": distance.start,
                "to": distance.end,
                "metres": distance.metres,
                "residual_m": _rounded(residual),
                "noticeable_m": _rounded(noticeable),
            }
            for distance, residual, noticeable in zip(
                table.distance,
                adjusted.distance_residuals.tolist(),
                noticeable_mistakes_m(table, adjusted),
                strict=True,
            )
        ],
    }


def _rounded(value: float) -> float:
    return round(value, 3)


def overlay(frame: Image, reviewed: Reviewed) -> Image:
    """A copy of a frame of the calibration's size, with the ground's grid, lanes and marks over it."""
    drawn = frame.copy()
    if reviewed.calibration.plane is not None:
        draw_grid(drawn, reviewed.calibration.plane)
    draw_lanes(drawn, reviewed.calibration.lanes)
    table = reviewed.table
    draw_marks(
        drawn,
        [point.name for point in table.point],
        np.array([(point.x_px, point.y_px) for point in table.point]).reshape(-1, 2),
    )
    return drawn
