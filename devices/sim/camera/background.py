"""What does not move: ground, road, markings, kerbs, sky, houses. Drawn once for a pose and a light."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.sim.camera.coverage import convex_coverage
from devices.sim.camera.light import STREET_LAMP_YS
from devices.sim.camera.outline import bounds, clipped

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.sim.camera.layout import Layout
    from devices.sim.camera.light import Light
    from devices.sim.camera.pose import Floats, Image, Pose

    FloatImage = npt.NDArray[np.float32]

_TILE_PX = 1024
_FAR_M = 400.0
_WIDE_M = 120.0
_MARKED_M = 150.0
_GRASS = (62, 96, 84)
_PAVEMENT = (150, 155, 158)
_ASPHALT = (104, 106, 108)
_PAINT = (214, 216, 216)
_DASH_M, _GAP_M, _LINE_M, _STOP_M = 3.0, 6.0, 0.15, 0.5


@lru_cache(maxsize=8)
def background_of(layout: Layout, pose: Pose, light: Light, seed: int) -> Image:
    """The empty scene (height, width, 3) in its light; shared, not to be written to."""
    colour = np.empty((pose.height_px, pose.width_px, 3), np.float32)
    colour[:] = _GRASS
    low, high = layout.edges_m
    _area(colour, pose, (low - 3.0, high + 3.0), (0.0, _FAR_M), _PAVEMENT)
    _area(colour, pose, (low - 0.35, high + 0.35), (0.0, _FAR_M), _ASPHALT)
    if layout.crossing_road is not None:
        near, far = layout.crossing_road
        _area(colour, pose, (-_WIDE_M, _WIDE_M), (near - 3.0, far + 3.0), _PAVEMENT)
        _area(colour, pose, (-_WIDE_M, _WIDE_M), (near, far), _ASPHALT)
        _area(colour, pose, (low - 0.35, high + 0.35), (near - 3.5, far + 3.5), _ASPHALT)
    _mark(colour, pose, layout)
    ground = _ground(pose)
    _roughen(colour, ground, pose, seed)
    lamplight = _street_lamps(colour, ground, layout, light)
    colour = colour * np.float32(light.ambient + light.direct * light.sun[2]) + lamplight
    _beyond(colour, ground, light, seed)
    if light.fog:
        colour += (np.float32(165 * (light.ambient + light.direct)) - colour) * light.fog
    picture = np.clip(colour, 0, 255).astype(np.uint8)
    picture.setflags(write=False)
    return picture


def _ground(pose: Pose) -> Floats:
    """Metres on the ground of each pixel's middle (height, width, 2); NaN in the sky."""
    rows, columns = np.indices((pose.height_px, pose.width_px), dtype=np.float64)
    pixels = np.column_stack((columns.ravel() + 0.5, rows.ravel() + 0.5))
    return pose.to_ground(pixels).reshape(pose.height_px, pose.width_px, 2)


def _area(
    colour: FloatImage,
    pose: Pose,
    across_m: tuple[float, float],
    along_m: tuple[float, float],
    paint: tuple[int, int, int],
) -> None:
    """Paint a rectangle of the ground, as far as it lies ahead of the lens."""
    (left, right), (near, far) = across_m, along_m
    corners = np.array([[left, near, 0.0], [left, far, 0.0], [right, far, 0.0], [right, near, 0.0]])
    visible = clipped(corners, pose.depths(corners))
    if far <= near or len(visible) < 3:  # noqa: PLR2004 - nothing is left of it
        return
    outline = pose.project(visible)
    region = bounds(outline, 1, colour)
    if region is None:
        return
    part = region.of(colour)
    share = convex_coverage(outline, region).astype(np.float32) / 255
    part += (np.array(paint, np.float32) - part) * share[:, :, None]


def _mark(colour: FloatImage, pose: Pose, layout: Layout) -> None:
    """Edges, lines between lanes (broken between those of one direction), stop lines and second lines."""
    low, high = layout.edges_m
    for near, far in _stretches(layout):
        for edge in (low, high):
            _area(colour, pose, (edge - _LINE_M / 2, edge + _LINE_M / 2), (near, far), _PAINT)
        for left, right in pairwise(layout.lanes):
            between = (left.right_m - _LINE_M / 2, left.right_m + _LINE_M / 2)
            is_broken = left.approaching == right.approaching
            for start in np.arange(near, far, _DASH_M + _GAP_M) if is_broken else (near,):
                _area(colour, pose, between, (start, min(start + _DASH_M, far) if is_broken else far), _PAINT)
    for line_m, width_m in ((layout.stop_line_m, _STOP_M), (layout.second_line_m, _LINE_M)):
        if line_m is None:
            continue
        for lane in filter(lambda one: one.is_signalled, layout.lanes):
            # Its edge that traffic comes to first is where the line is.
            span = (line_m - width_m, line_m) if lane.approaching else (line_m, line_m + width_m)
            _area(colour, pose, (lane.left_m + 0.1, lane.right_m - 0.1), span, _PAINT)


def _stretches(layout: Layout) -> tuple[tuple[float, float], ...]:
    """From where to where along y the road is marked: not on a junction."""
    if layout.crossing_road is None:
        return ((0.0, _MARKED_M),)
    near, far = layout.crossing_road
    return ((0.0, near - 4.0), (far + 4.0, _MARKED_M))


def _roughen(colour: FloatImage, ground: Floats, pose: Pose, seed: int) -> None:
    """Grain, patches and wheel tracks of the ground, fixed to it: as fine as the pixels there can show."""
    random = np.random.default_rng(seed)
    grain = np.ones(colour.shape[:2], np.float32)
    distance = np.nan_to_num(ground[:, :, 1], nan=_FAR_M)
    footprint = distance**2 / (pose.focal_px * pose.height_m)
    for period_m, strength in ((12.0, 0.05), (2.5, 0.03), (0.6, 0.03), (0.15, 0.07)):
        tile = _tile(random)
        scaled = np.nan_to_num(np.mod(ground / (period_m / 4), _TILE_PX)).astype(np.float32)
        values = np.asarray(cv2.remap(tile, scaled[:, :, 0], scaled[:, :, 1], cv2.INTER_LINEAR))
        grain += strength * values * np.minimum(1.0, period_m / 2 / np.maximum(footprint, 1e-6)).astype(np.float32)
    colour *= np.clip(grain, 0.3, 1.6)[:, :, None]


def _tile(random: np.random.Generator) -> FloatImage:
    """Noise of unit deviation whose opposite edges fit, one row and column more than its period."""
    white = random.standard_normal((_TILE_PX, _TILE_PX), np.float32)
    smooth = np.asarray(cv2.GaussianBlur(np.pad(white, 8, mode="wrap"), (0, 0), 1.0))[8:-8, 8:-8]
    return np.asarray(np.pad(smooth / smooth.std(), ((0, 1), (0, 1)), mode="wrap"), np.float32)


def _street_lamps(colour: FloatImage, ground: Floats, layout: Layout, light: Light) -> FloatImage:
    """Pools of yellowish light along the right-hand side: what they add."""
    beside = np.nan_to_num(ground[:, :, 0] - layout.street_lamps_x_m, nan=_FAR_M)
    along = np.nan_to_num(ground[:, :, 1], nan=2 * _FAR_M)
    pools = np.sum([np.exp(-(beside**2) / 90 - (along - lamp_y) ** 2 / 110) for lamp_y in STREET_LAMP_YS], axis=0)
    return np.asarray(colour * (light.street_lamps * pools)[:, :, None] * (0.8, 0.97, 1.08), np.float32)


def _beyond(colour: FloatImage, ground: Floats, light: Light, seed: int) -> None:
    """Sky above the horizon, and houses and trees in front of it."""
    sky = np.isnan(ground[:, :, 1]) | (ground[:, :, 1] > _FAR_M)
    if not sky.any():
        return
    colour[sky] = np.array([225, 205, 190]) * (light.ambient + light.direct * 0.6)
    horizon = int(np.flatnonzero(sky.any(axis=1)).max()) + 1
    random = np.random.default_rng(seed + 1)
    height, width = colour.shape[:2]
    place = 0
    while place < width:
        wide, high = int(random.integers(width // 16, width // 6)), int(random.integers(height // 30, height // 7))
        tint = (random.uniform(80, 150) + random.uniform(-14, 14, 3)) * light.ambient
        house = colour[max(horizon - high, 0) : horizon, place : place + wide]
        house[:] = tint + random.normal(0, 5, house.shape)
        house[4:-3:9, :] *= 0.7
        place += wide + int(random.integers(0, width // 20))
