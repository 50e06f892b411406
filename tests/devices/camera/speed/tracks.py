"""Tracks of one vehicle on a straight road under a camera whose pose is known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from devices.camera.calibration.ground_plane import GroundPlane
from devices.camera.track import Box, TrackPoint
from devices.sim.camera.pose import Pose

POSE = Pose(width_px=1280, height_px=720, height_m=6.0, tilt_deg=14.0, focal_px=1200.0)
FRAME_SIZE = (POSE.width_px, POSE.height_px)
NEAR_M, FAR_M = 15.0, 45.0


def plane(pose: Pose = POSE, sigma: float = 1e-4) -> GroundPlane:
    """The road as the pose has it; every entry of the homography known to `sigma` of itself (standard uncertainty)."""
    focal, (right, down, ahead) = pose.focal_px, pose.axes
    middle = np.array([pose.width_px / 2, pose.height_px / 2])
    camera = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]])
    axes = np.array([right, down, ahead])
    to_image = camera @ np.column_stack([axes[:, 0], axes[:, 1], -axes @ pose.position])
    to_metres = np.linalg.inv(to_image)
    to_metres *= np.sign(to_metres[2] @ [middle[0], pose.height_px, 1])
    return GroundPlane(to_metres, np.diag((to_metres.ravel() * sigma) ** 2))


def zone(pose: Pose = POSE, near_m: float = NEAR_M, far_m: float = FAR_M) -> tuple[tuple[float, float], ...]:
    """The whole road from `near_m` to `far_m`, in pixels."""
    corners = np.array([[-5.0, near_m], [5.0, near_m], [5.0, far_m], [-5.0, far_m]])
    return tuple((float(u), float(v)) for u, v in pose.project_ground(corners))


@dataclass(frozen=True)
class Drive:
    """A vehicle comes down the road, from 50 m to 10 m before the camera, and each frame sees its contact point."""

    speed_m_s: float = 25.0
    frames_per_s: float = 15.0
    noise_px: float = 0.3
    departing: bool = False
    height_m: float = 0.0
    acceleration_m_s2: float = 0.0

    def points(self, seed: int = 1) -> list[TrackPoint]:
        random = np.random.default_rng(seed)
        seconds = np.arange(0.0, 60.0, 1 / self.frames_per_s)
        driven = self.speed_m_s * seconds + self.acceleration_m_s2 * seconds**2 / 2
        comes = (driven < 40.0) & (self.speed_m_s + self.acceleration_m_s2 * seconds > 0.0)
        driven, seconds = driven[comes], seconds[comes]
        along = 10.0 + driven if self.departing else 50.0 - driven
        places = np.column_stack([np.full(len(along), 1.5), along, np.full(len(along), self.height_m)])
        pixels = POSE.project(places) + random.normal(0, self.noise_px, (len(along), 2))
        return [at(u, v, second) for (u, v), second in zip(pixels.tolist(), seconds.tolist(), strict=True)]


def at(u_px: float, v_px: float, seconds: float, *, is_whole: bool = True) -> TrackPoint:
    """A point of a track: what no speed depends on is left empty."""
    microseconds = round(seconds * 1e6)
    return TrackPoint(microseconds, microseconds, 0, 0.0, 0.0, u_px, v_px, Box(0, 0, 0, 0), is_whole)


def on_road(x_m: float, y_m: float, seconds: float) -> TrackPoint:
    """A point of a track that stands there on the road."""
    u_px, v_px = POSE.project_ground(np.array([[x_m, y_m]]))[0]
    return at(float(u_px), float(v_px), seconds)._replace(x_m=x_m, y_m=y_m)
