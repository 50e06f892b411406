"""What shines: vehicles' lamps, their beams on the road, their mirror images in the wet, and signal lamps."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.sim.camera.coverage import convex_coverage, disc_coverage
from devices.sim.camera.outline import NEAREST_M, bounds
from devices.sim.camera.texture import Texture, warped

if TYPE_CHECKING:
    from devices.sim.camera.body import Body
    from devices.sim.camera.layout import SignalHead
    from devices.sim.camera.light import Light
    from devices.sim.camera.outline import Bounds
    from devices.sim.camera.pose import Floats, Image, Pose
    from devices.sim.camera.road_user import State
    from devices.sim.camera.signal_plan import LampState

_WHITE, _RED = (235, 245, 255), (40, 30, 235)
_SIGNAL_LIT = ((60, 60, 255), (60, 210, 255), (150, 255, 90))
_SIGNAL_UNLIT = ((20, 16, 60), (16, 46, 60), (30, 52, 20))
_HOUSING = (22, 22, 22)
_BEAM_M, _BEAM_WIDTH_M = 22.0, 5.5
_BRAKING_M_S2 = -0.6
_SPRITE_PX = 96


def draw_beam(frame: Image, road: Image, pose: Pose, light: Light, body: Body, state: State) -> None:
    """The light of the headlamps on the road ahead of a vehicle; `road`: the road as it is in full light."""
    if not len(body.headlamps):
        return
    front = float(body.headlamps[0, 1])
    half = _BEAM_WIDTH_M / 2
    corners = [
        [-half, front + _BEAM_M, 0.0],
        [half, front + _BEAM_M, 0.0],
        [half, front + 0.3, 0.0],
        [-half, front + 0.3, 0.0],
    ]
    found = warped(frame, pose, _beam(), state.to_ground(np.array(corners)))
    if found is not None:
        region, seen = found
        part = region.of(frame)
        lit = cv2.multiply(region.of(road), cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR), scale=light.beam / 160)
        part[:] = cv2.add(part, lit)


def draw_vehicle_lamps(frame: Image, pose: Pose, light: Light, body: Body, state: State) -> None:
    """Headlamps and tail lamps that look at the camera; brake lamps also by day."""
    to_camera = pose.position[:2] - (state.centre.x_m, state.centre.y_m)
    heading = np.array([np.sin(state.centre.heading_rad), np.cos(state.centre.heading_rad)])
    facing = float(heading @ to_camera / np.linalg.norm(to_camera))
    is_braking = state.acceleration_m_s2 < _BRAKING_M_S2
    if facing > 0 and light.lamps_lit:
        for lamp in state.to_ground(body.headlamps):
            _shine(frame, pose, light, lamp, _WHITE, 0.55 * facing)
    if facing < 0 and (light.lamps_lit or is_braking):
        for lamp in state.to_ground(body.tail_lamps):
            _shine(frame, pose, light, lamp, _RED, (0.34 if is_braking else 0.2) * -facing)


def draw_signal_lamps(frame: Image, pose: Pose, light: Light, head: SignalHead, state: LampState) -> None:
    """The housing and the three lamps, lit as the state says."""
    found = _signal(pose, head)
    if found is None:
        return
    region, housing, lamps = found
    part = region.of(frame)
    _lay(part, _HOUSING, housing)
    for lamp, is_lit, lit, unlit in zip(lamps, state.lit, _SIGNAL_LIT, _SIGNAL_UNLIT, strict=True):
        _lay(part, lit if is_lit else unlit, lamp)
    if light.lamps_lit:
        for place, is_lit, lit in zip(_lamp_places(head), state.lit, _SIGNAL_LIT, strict=True):
            if is_lit:
                _shine(frame, pose, light, place, lit, 0.5)


def _lamp_places(head: SignalHead) -> Floats:
    return np.array([[head.x_m, head.y_m, head.height_m - 0.4 * step] for step in range(3)])


@lru_cache(maxsize=4)
def _signal(pose: Pose, head: SignalHead) -> tuple[Bounds, Image, tuple[Image, ...]] | None:
    """Where a signal head is seen, and how much of each pixel there its housing and its lamps cover; None: nowhere."""
    places = _lamp_places(head)
    middles, depth = pose.project(places), float(pose.depths(places).min())
    half, radius = np.array([0.22, head.lamp_diameter_m / 2]) * pose.focal_px / depth
    region = bounds(middles, int(half) + 2, np.empty((pose.height_px, pose.width_px), np.uint8))
    if region is None:
        return None
    (left, top), (right, bottom) = middles.min(axis=0) - half, middles.max(axis=0) + half
    housing = convex_coverage(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), region)
    return region, housing, tuple(disc_coverage(middle, radius, region) for middle in middles)


def _lay(part: Image, colour: tuple[int, int, int], share: Image) -> None:
    """Lay a colour over part of a frame, as much as `share` (0 to 255) of each of its pixels."""
    part[:] = np.round(part + (np.array(colour, np.float32) - part) * (share[:, :, None] / np.float32(255)))


def _shine(
    frame: Image, pose: Pose, light: Light, place: Floats, colour: tuple[int, int, int], radius_m: float
) -> None:
    """A lamp with its glare, and what a wet road mirrors of it."""
    depth = float(pose.depths(place[None])[0])
    if depth < NEAREST_M:
        return
    radius = radius_m * pose.focal_px / depth
    _glow(frame, pose.project(place[None])[0], (radius, radius), colour, 1.0)
    if light.wet:
        mirrored = pose.project(place[None] * (1, 1, -1))[0]
        _glow(frame, mirrored, (radius * 0.7, radius * 3.0), colour, light.wet)


def _glow(frame: Image, middle: Floats, radii: tuple[float, float], colour: tuple[int, int, int], gain: float) -> None:
    """Add a bright spot that fades out over its radii (across, down), in pixels."""
    outline = np.array([middle - radii, middle + radii])
    region = bounds(outline, 0, frame)
    if region is None:
        return
    scale = (_SPRITE_PX - 1) / (2 * np.maximum(radii, 1.0))
    shift = (np.array([region.left, region.top]) + 0.5 - middle) * scale + (_SPRITE_PX - 1) / 2
    place = np.array([[scale[0], 0.0, shift[0]], [0.0, scale[1], shift[1]]])
    extent = (region.right - region.left, region.bottom - region.top)
    spot = cv2.warpAffine(_sprite(), place, extent, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    part = region.of(frame)
    part[:] = cv2.add(part, cv2.merge([cv2.convertScaleAbs(spot, alpha=gain * one / 255) for one in colour]))


@lru_cache(maxsize=1)
def _sprite() -> Image:
    """A bright core in a wide glare."""
    offsets = np.linspace(-1, 1, _SPRITE_PX)
    distance = np.hypot(offsets[:, None], offsets[None, :])
    light = 230 * np.exp(-((distance / 0.22) ** 4)) + 80 * np.exp(-((distance / 0.42) ** 2))
    return np.asarray(np.clip(light * (distance < 1), 0, 255), np.uint8)


@lru_cache(maxsize=1)
def _beam() -> Texture:
    """Two dipped beams seen from above, the farthest row first."""
    along, across = np.linspace(_BEAM_M, 0, 128)[:, None], np.linspace(-1, 1, 64)[None, :]
    spread = 0.25 + 0.6 * along / _BEAM_M
    lobes = np.sum([np.exp(-(((across - side * 0.22) / spread) ** 2)) for side in (-1, 1)], axis=0)
    reach = np.exp(-(((along - 4.5) / 7.0) ** 2)) * (1 - np.exp(-((along / 2.0) ** 2)))
    light = lobes * reach * np.sqrt(np.cos(across * np.pi / 2))
    picture = np.full((128, 64, 4), 255, np.uint8)
    picture[:, :, :3] = np.clip(light[:, :, None] * np.array([135, 148, 152]), 0, 255).astype(np.uint8)
    return Texture(picture)
