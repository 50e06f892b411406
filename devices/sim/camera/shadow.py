"""Shadows on the road: the sun's, and the darkness under a body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.sim.camera.coverage import convex_coverage
from devices.sim.camera.outline import bounds, clipped

if TYPE_CHECKING:
    from devices.sim.camera.light import Light
    from devices.sim.camera.pose import Floats, Image, Pose
    from devices.sim.camera.road_user import RoadUser, State

_UNDER_BODY = 0.72
_AROUND_BODY = 0.25


def draw_shadow(frame: Image, pose: Pose, light: Light, user: RoadUser, state: State) -> None:
    """All that a road user takes of the road's light."""
    size = user.kind.size
    across, along = size.width_m / 2, size.length_m / 2
    foot = state.to_ground(
        np.array([[-across, -along, 0.0], [across, -along, 0.0], [across, along, 0.0], [-across, along, 0.0]])
    )
    scale = pose.focal_px / max(float(pose.depths(foot).mean()), 1.0)
    if light.shadow:
        fall = np.array([light.sun[0], light.sun[1], 0.0]) / light.sun[2] * size.height_m * 0.92
        hull = cv2.convexHull(np.vstack((foot, foot - fall))[:, :2].astype(np.float32))[:, 0]
        _darken(frame, pose, np.column_stack((hull, np.zeros(len(hull)))), light.shadow, 0.28 * scale)
    _darken(frame, pose, foot, _AROUND_BODY, 0.62 * scale)
    middle = np.array([state.centre.x_m, state.centre.y_m, 0.0])
    _darken(frame, pose, foot + (middle - foot) * 0.08, _UNDER_BODY, 0.14 * scale)


def _darken(frame: Image, pose: Pose, ground: Floats, strength: float, soft_px: float) -> None:
    """Darken a convex polygon (n, 3) on the ground, its edge soft over `soft_px`; `strength` 1 leaves black."""
    visible = clipped(ground, pose.depths(ground))
    if len(visible) < 3:  # noqa: PLR2004 - nothing is left of it
        return
    outline = pose.project(visible)
    region = bounds(outline, int(soft_px / 2) + 2, frame)
    if region is None:
        return
    mask = convex_coverage(outline, region, soft_px)
    light = cv2.cvtColor(cv2.convertScaleAbs(mask, alpha=-strength, beta=255.0), cv2.COLOR_GRAY2BGR)
    part = region.of(frame)
    part[:] = cv2.multiply(part, light, scale=1 / 255)
