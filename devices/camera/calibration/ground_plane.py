"""The road as a plane: from pixels to metres and back, with the uncertainty that the survey leaves.

Metres are seen from above; where the survey names no coordinates, x runs to the right and y away from the camera.
Propagation of uncertainty: JCGM 100:2008 (GUM), first order; coverage factor k = 2. Homography and its covariance:
R. Hartley, A. Zisserman, Multiple View Geometry in Computer Vision, 2nd ed., 2004, sections 4.1 and 5.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

COVERAGE_FACTOR = 2.0
NOMINAL_WIDTH_M = 20.0
"""What a frame shows from side to side in its middle, when nobody surveyed it: some lanes of a road."""


@dataclass(frozen=True, slots=True, eq=False)
class GroundPlane:
    """A homography from pixels to metres of the road.

    `to_metres` (3 x 3) maps homogeneous pixels; its third component is above 0 for what lies on the road in front of
    the camera, and not for what lies at or above the horizon. `covariance` (9 x 9) is that of its entries, row by
    row; None for a plane that nobody surveyed.
    """

    to_metres: Array
    covariance: Array | None

    @property
    def is_surveyed(self) -> bool:
        """Whether its metres are metres, so that a speed may rest on them."""
        return self.covariance is not None

    def to_ground(self, pixels: npt.ArrayLike) -> Array:
        """Metres (n, 2) of pixels (n, 2); NaN for what lies at or above the horizon."""
        return _project(self.to_metres, _points(pixels))

    def to_image(self, metres: npt.ArrayLike) -> Array:
        """Pixels (n, 2) of metres (n, 2), also outside the frame; NaN for what lies behind the camera."""
        to_pixels = np.asarray(np.linalg.inv(self.to_metres), dtype=np.float64)
        return _project(to_pixels, _points(metres))

    def length_uncertainty(self, from_m: npt.ArrayLike, to_m: npt.ArrayLike) -> float:
        """Expanded uncertainty (k = 2), in metres, of the length from one point of the road (x, y) to another.

        From the survey alone: how well the picture shows where the two points are comes on top. Infinite for a plane
        that nobody surveyed, and for points behind the camera.
        """
        gradient = self.length_by_entries(from_m, to_m)
        if self.covariance is None or not np.isfinite(gradient).all():
            return math.inf
        return COVERAGE_FACTOR * math.sqrt(max(0.0, float(gradient @ self.covariance @ gradient)))

    def length_by_entries(self, from_m: npt.ArrayLike, to_m: npt.ArrayLike) -> Array:
        """Derivatives (9,) of the length between two points of the road, as the picture shows them, by `to_metres`.

        NaN for points behind the camera; 0 for a length of 0.
        """
        ends = np.array([from_m, to_m], dtype=np.float64).reshape(2, 2)
        length = math.dist(ends[0], ends[1])
        along = (ends[1] - ends[0]) / length if length else np.zeros(2)
        start, end = by_entries(self.to_metres, self.to_image(ends))
        gradient: Array = along @ (end - start)
        return gradient

    def point_uncertainty_m(self, pixels: npt.ArrayLike, sigma_px: float) -> Array:
        """Standard uncertainty (n,), in metres, of places on the road, in the direction in which it is largest.

        From pixels (n, 2) whose coordinates have the standard uncertainty `sigma_px`; infinite from the horizon up.
        """
        places = _points(pixels)
        is_on_road = np.isfinite(_project(self.to_metres, places)).all(axis=1)
        largest = np.full(len(places), np.inf)
        singular = np.linalg.svd(by_pixels(self.to_metres, places[is_on_road]), compute_uv=False)
        largest[is_on_road] = sigma_px * singular[:, 0]
        return largest

    def scaled(self, x_scale: float, y_scale: float) -> GroundPlane:
        """The same road in a frame whose sides are so many times as long."""
        columns = np.array([1.0 / x_scale, 1.0 / y_scale, 1.0])
        by_entry = np.tile(columns, 3)
        covariance = None if self.covariance is None else self.covariance * np.outer(by_entry, by_entry)
        return GroundPlane(self.to_metres * columns, covariance)


def nominal_plane(width_px: int, height_px: int) -> GroundPlane:
    """A plane for a camera without a survey: pixels scaled to roughly metres, the frame's lower left corner at 0, 0."""
    scale = NOMINAL_WIDTH_M / width_px
    return GroundPlane(np.array([[scale, 0.0, 0.0], [0.0, -scale, scale * height_px], [0.0, 0.0, 1.0]]), None)


def by_pixels(homography: Array, pixels: Array) -> Array:
    """Derivatives (n, 2, 2) of places on the road by the pixels (n, 2) they are seen at."""
    x, y, w = _homogeneous(homography, pixels)
    metres = np.stack([x / w, y / w], axis=1)
    return (homography[None, :2, :2] - metres[:, :, None] * homography[None, 2:3, :2]) / w[:, None, None]


def by_entries(homography: Array, pixels: Array) -> Array:
    """Derivatives (n, 2, 9) of places on the road, seen at pixels (n, 2), by the homography's entries, row by row."""
    x, y, w = _homogeneous(homography, pixels)
    seen = np.column_stack([pixels, np.ones(len(pixels))]) / w[:, None]
    derivatives = np.zeros((len(pixels), 2, 9))
    derivatives[:, 0, 0:3] = seen
    derivatives[:, 1, 3:6] = seen
    derivatives[:, 0, 6:9] = -seen * (x / w)[:, None]
    derivatives[:, 1, 6:9] = -seen * (y / w)[:, None]
    return derivatives


def _points(given: npt.ArrayLike) -> Array:
    return np.asarray(given, dtype=np.float64).reshape(-1, 2)


def _homogeneous(homography: Array, points: Array) -> tuple[Array, Array, Array]:
    x, y, w = homography[:, :2] @ points.T + homography[:, 2:3]
    return x, y, w


def _project(homography: Array, points: Array) -> Array:
    x, y, w = _homogeneous(homography, points)
    depth = np.where(w > np.finfo(np.float64).eps * np.abs(homography[2]).max(), w, np.nan)
    return np.stack([x / depth, y / depth], axis=1)
