"""Where a camera hangs and how it looks: between metres on the road and pixels of its frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import cos, radians, sin

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]
"""Height x width x 3, blue, green, red."""


@dataclass(frozen=True)
class Pose:
    """A pinhole camera over the ground's origin, its principal point in the middle of the frame, without distortion.

    The ground is x to the right, y ahead along the road, z up, in metres. `focal_px` belongs to `width_px`.
    `tilt_deg` is down from the horizon, `pan_deg` to the right, `roll_deg` clockwise (the picture turns the other way).
    """

    width_px: int = 1280
    height_px: int = 720
    height_m: float = 6.0
    tilt_deg: float = 16.0
    focal_px: float = 1300.0
    pan_deg: float = 0.0
    roll_deg: float = 0.0
    x_m: float = 0.0

    def scaled_to(self, width_px: int, height_px: int) -> Pose:
        """The same field of view in another frame size; raises ValueError where the aspect ratio differs."""
        if width_px * self.height_px != height_px * self.width_px:
            raise ValueError(f"{width_px}x{height_px} has another aspect ratio than {self.width_px}x{self.height_px}")
        focal_px = self.focal_px * width_px / self.width_px
        return replace(self, width_px=width_px, height_px=height_px, focal_px=focal_px)

    @cached_property
    def axes(self) -> Floats:
        """Rows: the camera's right, down and ahead, in ground coordinates."""
        pan, tilt, roll = radians(self.pan_deg), radians(self.tilt_deg), radians(self.roll_deg)
        ahead = np.array([sin(pan) * cos(tilt), cos(pan) * cos(tilt), -sin(tilt)])
        level = np.array([cos(pan), -sin(pan), 0.0])
        under = np.cross(ahead, level)
        return np.array([cos(roll) * level + sin(roll) * under, cos(roll) * under - sin(roll) * level, ahead])

    @cached_property
    def to_pixels(self) -> Floats:
        """From metres off the lens (3,) to homogeneous pixels (3,); the third is the depth."""
        focal = self.focal_px
        return np.array([[focal, 0, self.width_px / 2], [0, focal, self.height_px / 2], [0, 0, 1]]) @ self.axes

    @cached_property
    def position(self) -> Floats:
        """Where the lens is, in metres."""
        return np.array([self.x_m, 0.0, self.height_m])

    def depths(self, points_m: Floats) -> Floats:
        """How far ahead of the lens points (n, 3) lie, in metres (n,)."""
        return np.asarray((points_m - self.position) @ self.axes[2])

    def project(self, points_m: Floats) -> Floats:
        """Pixels (n, 2) of points (n, 3) in metres, all of them ahead of the lens."""
        seen = (points_m - self.position) @ self.to_pixels.T
        return np.asarray(seen[:, :2] / seen[:, 2:])

    def project_ground(self, points_m: Floats) -> Floats:
        """Pixels (n, 2) of points (n, 2) on the road, all of them ahead of the lens."""
        return self.project(np.column_stack((points_m, np.zeros(len(points_m)))))

    def to_ground(self, pixels: Floats) -> Floats:
        """Where on the road pixels (n, 2) lie, in metres (n, 2); NaN at and above the horizon."""
        offset = (pixels - np.array([self.width_px / 2, self.height_px / 2])) / self.focal_px
        rays = np.column_stack((offset, np.ones(len(pixels)))) @ self.axes
        fall = np.where(rays[:, 2] < 0, rays[:, 2], np.nan)
        return np.asarray(self.position[:2] - rays[:, :2] * (self.height_m / fall)[:, None])
