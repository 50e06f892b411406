"""What is known of the point by which a vehicle is followed: how high above the road it is, and how sharp.

The road's plane puts a point that is really at height h, seen by a camera at height H, farther from the camera than
it is: all its distances, and so its speed, come out greater by the factor H / (H - h), wherever it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from devices.camera.calibration.ground_plane import GroundPlane


class ContactPoint(NamedTuple):
    """Of a tracker: its points lie `height_m` above the road, within `height_uncertainty_m` (k = 2).

    `drift_widths` of the frame: the standard uncertainty of how low in the picture it sees them at one end of the zone
    as against the other, which no averaging over frames takes away.
    """

    height_m: float
    height_uncertainty_m: float
    drift_widths: float


FOREGROUND_EDGE = ContactPoint(height_m=0.0, height_uncertainty_m=0.1, drift_widths=0.5 / 320)
"""Of `devices.camera.vehicles`, which sees where an edge has risen to half, in images 320 px wide: blur does not shift
that, and on rendered traffic it lies there to a quarter of a pixel of these (SPEED.md)."""


def camera_height_m(plane: GroundPlane, frame_size: tuple[int, int]) -> float | None:
    """How high above the road the camera hangs, or None where the plane is that of no pinhole camera.

    For square pixels and a principal point in the middle of the frame (width, height). R. Hartley, A. Zisserman,
    Multiple View Geometry in Computer Vision, 2nd ed., 2004, section 8.8 (constraints of a plane's homography).
    """
    to_image = np.linalg.inv(plane.to_metres)
    to_image[:2] -= np.outer((frame_size[0] / 2, frame_size[1] / 2), to_image[2])
    east, north = to_image[:, 0], to_image[:, 1]
    # Two axes of the road are at right angles and equally long: each is one equation for 1 / f squared.
    factors = np.array([east[:2] @ north[:2], east[:2] @ east[:2] - north[:2] @ north[:2]])
    constants = np.array([east[2] * north[2], east[2] ** 2 - north[2] ** 2])
    if factors @ factors == 0.0 or (inverse_square := -(factors @ constants) / (factors @ factors)) <= 0.0:
        return None
    rays = np.diag([math.sqrt(inverse_square), math.sqrt(inverse_square), 1.0]) @ to_image
    scale = math.sqrt(np.linalg.norm(rays[:, 0]) * np.linalg.norm(rays[:, 1]))
    upward = np.cross(rays[:, 0], rays[:, 1]) / scale**2
    return float(abs(upward @ rays[:, 2]) / scale)
