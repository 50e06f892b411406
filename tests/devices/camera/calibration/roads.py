"""Cameras whose view of the road is known, and surveys of it with mistakes of a known size."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

WIDTH_PX, HEIGHT_PX = 1280, 720
# Three cross-sections of a two-lane road, left and right.
SIX_MARKS = np.array([[-3.5, 12.0], [3.5, 12.0], [-3.5, 20.0], [3.5, 20.0], [-3.5, 32.0], [3.5, 32.0]])
LANE = {"id": "1", "count_line": [[300.0, 400.0], [700.0, 400.0]]}


@dataclass(frozen=True)
class Camera:
    """A pinhole camera at x = y = 0, looking along y, over a road in the plane z = 0."""

    height_m: float = 6.0
    tilt_deg: float = 20.0
    roll_deg: float = 1.0
    focal_px: float = 900.0

    def see(self, places_m: npt.ArrayLike) -> Array:
        """Pixels (n, 2) of places on the road (n, 2), by turning each ray into the camera and dividing by its depth."""
        x, y = np.asarray(places_m, dtype=float).T
        tilt, roll = np.radians([self.tilt_deg, self.roll_deg])
        depth = y * np.cos(tilt) + self.height_m * np.sin(tilt)
        down = -y * np.sin(tilt) + self.height_m * np.cos(tilt)
        across = x * np.cos(roll) + down * np.sin(roll)
        along = -x * np.sin(roll) + down * np.cos(roll)
        seen: Array = np.column_stack([across, along]) / depth[:, None] * self.focal_px + [WIDTH_PX / 2, HEIGHT_PX / 2]
        return seen


def survey_table(
    camera: Camera = Camera(),
    marks_m: Array = SIX_MARKS,
    *,
    with_coordinates: bool = False,
    pairs: list[tuple[int, int]] | None = None,
    sigma_px: float = 0.5,
    sigma_m: float = 0.01,
    seed: int | None = None,
) -> dict[str, Any]:
    """A calibration file's table of a survey; with a seed, with random mistakes of those standard deviations."""
    random = np.random.default_rng(seed)
    noise_px, noise_m = (sigma_px, sigma_m) if seed is not None else (0.0, 0.0)
    pairs = list(combinations(range(len(marks_m)), 2)) if pairs is None else pairs
    pixels = camera.see(marks_m) + random.normal(0.0, noise_px, marks_m.shape)
    places = marks_m + random.normal(0.0, noise_m, marks_m.shape)
    points = [
        {"name": chr(65 + at), "x_px": float(pixels[at, 0]), "y_px": float(pixels[at, 1])} for at in range(len(marks_m))
    ]
    if with_coordinates:
        for point, (x, y) in zip(points, places.tolist(), strict=True):
            point |= {"x_m": x, "y_m": y, "uncertainty_m": 2 * sigma_m}
    return {
        "survey_date": dt.date(2026, 11, 20),
        "sigma_px": sigma_px,
        "frame": {"width_px": WIDTH_PX, "height_px": HEIGHT_PX},
        "point": points,
        "distance": [
            {
                "from": chr(65 + one),
                "to": chr(65 + other),
                "metres": float(np.linalg.norm(marks_m[one] - marks_m[other]) + random.normal(0.0, noise_m)),
                "uncertainty_m": 2 * sigma_m,
            }
            for one, other in pairs
        ],
        "lane": [dict(LANE)],
    }
