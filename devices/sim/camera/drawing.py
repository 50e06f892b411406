"""Bodies and poles, drawn into a frame as a pose sees them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from devices.sim.camera.outline import NEAREST_M
from devices.sim.camera.texture import Texture, hang

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.sim.camera.body import Body
    from devices.sim.camera.layout import Pole
    from devices.sim.camera.light import Light
    from devices.sim.camera.pose import Floats, Image, Pose
    from devices.sim.camera.road_user import State

_RETROREFLECTED = 0.75
_MARGIN_PX = 2
"""About the frame: as wide as soft edges are."""


def draw_body(frame: Image, pose: Pose, light: Light, body: Body, state: State, lit: float) -> None:
    """The faces that look at the camera, farthest first; `lit`: how bright the place is besides sky and sun."""
    corners = state.to_ground(body.corners).reshape(-1, 4, 3)
    first, second = corners[:, 2] - corners[:, 0], corners[:, 1] - corners[:, 3]
    across = first[:, [1, 2, 0]] * second[:, [2, 0, 1]] - first[:, [2, 0, 1]] * second[:, [1, 2, 0]]
    normals = across / np.sqrt((across**2).sum(axis=1, keepdims=True))
    middles = corners.mean(axis=1)
    is_seen = ((pose.position - middles) * normals).sum(axis=1) > 0
    sun = np.array(light.sun) / np.linalg.norm(light.sun)
    shades = light.ambient + light.direct * np.maximum(normals @ sun, 0.0) + lit * (0.6 + 0.4 * normals[:, 2])
    is_seen &= _is_drawn(pose, corners)
    for index in np.argsort(-pose.depths(middles)):
        if is_seen[index]:
            face, shade = body.faces[index], float(shades[index])
            if face.retroreflective:
                shade = max(shade, _RETROREFLECTED)
            hang(frame, pose, face.texture, corners[index], shade)


def _is_drawn(pose: Pose, corners: Floats) -> npt.NDArray[np.bool_]:
    """Which parallelograms (n, 4, 3) cover as much as a pixel, in the frame or about it; those behind the lens may."""
    points = corners.reshape(-1, 3)
    is_near = pose.depths(points) < NEAREST_M
    points = np.where(is_near[:, None], points + pose.axes[2] * 1000.0, points)
    outlines = pose.project(points).reshape(-1, 4, 2)
    low, high = outlines.min(axis=1), outlines.max(axis=1)
    farthest = (pose.width_px + _MARGIN_PX, pose.height_px + _MARGIN_PX)
    is_in_frame = ((high > -_MARGIN_PX) & (low < farthest)).all(axis=1)
    is_large = (high - low).prod(axis=1) > 1.0
    return np.asarray((is_large & is_in_frame) | is_near.reshape(-1, 4).any(axis=1))


def draw_pole(frame: Image, pose: Pose, light: Light, pole: Pole) -> None:
    """An upright pole, as wide as it is thick."""
    x, half = pole.x_m, pole.diameter_m / 2
    corners = [[x - half, pole.y_m, pole.height_m], [x + half, pole.y_m, pole.height_m]]
    corners += [[x + half, pole.y_m, 0.0], [x - half, pole.y_m, 0.0]]
    hang(frame, pose, _metal(), np.array(corners), light.ambient + light.direct * 0.5)


@lru_cache(maxsize=1)
def _metal() -> Texture:
    grey = np.full((64, 16, 4), 255, np.uint8)
    grey[:, :, :3] = np.interp(np.arange(16), [0, 5, 15], [90, 150, 60])[None, :, None]
    return Texture(grey)
