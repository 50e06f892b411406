"""Edges are drawn where geometry puts them, to a tenth of a pixel on all sides, as large or small as a frame may be."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from devices.sim.camera.coverage import convex_coverage, disc_coverage
from devices.sim.camera.junction import FROM_AHEAD, red_light
from devices.sim.camera.light import DAY, OVERCAST, Light
from devices.sim.camera.motion import AWAY_RAD, TOWARDS_RAD, Motion, Path, Place
from devices.sim.camera.outline import Bounds
from devices.sim.camera.pose import Pose
from devices.sim.camera.road_user import Kind, RoadUser
from devices.sim.camera.scene import Scene
from devices.sim.camera.texture import Texture, hang
from devices.sim.camera.traffic import TWO_WAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

SIDE_PX = 120
EVERYWHERE = Bounds(0, 0, SIDE_PX, SIDE_PX)
SPEED_SITE = Pose(width_px=640, height_px=360, height_m=7.0, tilt_deg=15.0, focal_px=900.0)


def half_rises(line: Array) -> tuple[float, float]:
    """Where, between pixels' centres, a line of pixels first is half of its greatest value, and where it last is."""
    half, places = line.max() / 2, np.arange(len(line)) + 0.5
    inside = np.flatnonzero(line >= half)
    first, last = int(inside[0]), int(inside[-1])
    rise = (half - line[first - 1]) / (line[first] - line[first - 1])
    fall = (line[last] - half) / (line[last] - line[last + 1])
    return float(places[first - 1] + rise), float(places[last] + fall)


def rectangles() -> Iterator[Array]:
    """Left, top, right and bottom, at places between pixels."""
    random = np.random.default_rng(1)
    for _ in range(40):
        yield np.array([20.0, 20.0, 80.0, 85.0]) + random.random(4)


def corners(sides: Array) -> Array:
    left, top, right, bottom = sides
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def sides_of(picture: npt.NDArray[np.uint8]) -> tuple[float, ...]:
    left, right = half_rises(picture[50].astype(float))
    top, bottom = half_rises(picture[:, 50].astype(float))
    return left, top, right, bottom


@pytest.mark.parametrize("soft_px", [0.0, 6.3])
def test_an_outline_covers_what_lies_within_it(soft_px: float) -> None:
    for sides in rectangles():
        for outline in (corners(sides), corners(sides)[::-1]):
            covered = convex_coverage(outline, EVERYWHERE, soft_px)
            assert sides_of(covered) == pytest.approx(sides, abs=0.1)
            area = (sides[2] - sides[0]) * (sides[3] - sides[1])
            assert covered.sum() / 255 == pytest.approx(area, rel=0.001 + 0.002 * soft_px)


def test_a_slanting_outline_covers_its_area() -> None:
    turned = corners(np.array([30.0, 40.0, 90.0, 60.0])) @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + (40.0, -25.0)
    assert convex_coverage(turned, EVERYWHERE).sum() / 255 == pytest.approx(60.0 * 20.0, rel=0.003)


def test_a_strip_narrower_than_a_pixel_covers_its_width_of_it() -> None:
    strip = corners(np.array([20.0, 40.3, 80.0, 40.6]))
    assert convex_coverage(strip, EVERYWHERE)[:, 50].sum() / 255 == pytest.approx(0.3, abs=0.01)


def test_an_outline_that_has_shrunk_to_a_point_covers_nothing() -> None:
    assert not convex_coverage(np.full((4, 2), 30.0), EVERYWHERE).any()


def test_a_disc_reaches_as_far_as_its_radius() -> None:
    found = sides_of(disc_coverage(np.array([50.3, 50.6]), 20.2, EVERYWHERE))
    assert found == pytest.approx((30.1, 30.4, 70.5, 70.8), abs=0.1)


@pytest.mark.parametrize("size", [(20, 20), (60, 60), (90, 75), (119, 300), (400, 64), (1000, 700)])
def test_a_picture_hangs_within_its_corners_however_large_it_is_drawn(size: tuple[int, int]) -> None:
    pose = Pose(SIDE_PX, SIDE_PX, height_m=0.0, tilt_deg=0.0, focal_px=100.0)
    texture = Texture(np.full((size[1], size[0], 4), 255, np.uint8))
    for sides in rectangles():
        frame = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
        across, up = ((corners(sides) - SIDE_PX / 2) * (0.1, -0.1)).T
        hang(frame, pose, texture, np.column_stack((across, np.full(4, 10.0), up)), 1.0)
        assert sides_of(frame[:, :, 0]) == pytest.approx(sides, abs=0.1)


def lower_edge_px(kind: Kind, y_m: float, heading_rad: float, light: Light, scale: int) -> float:
    """Where, below a vehicle, the road begins to be as it is without it; rows of SPEED_SITE's frame."""
    pose = SPEED_SITE.scaled_to(640 * scale, 360 * scale)
    vehicle = RoadUser(1, kind, Path(Place(1.75, y_m, heading_rad)), Motion(0.0), colour=(200, 200, 200))
    scenes = (Scene(replace(TWO_WAY, poles=()), there, pose, light=light) for there in ((vehicle,), ()))
    full, empty = (scene.render(0.0).astype(np.float32).mean(axis=2) for scene in scenes)
    change = cv2.resize(np.abs(full - empty), (640, 360), interpolation=cv2.INTER_AREA)
    column = int(SPEED_SITE.project_ground(np.array([[1.75, y_m]]))[0, 0])
    profile = change[:, column - 6 : column + 7].mean(axis=1)
    row = int(np.flatnonzero(profile >= 15.0)[-1])
    return float(row + (profile[row] - 15.0) / (profile[row] - profile[row + 1]))


@pytest.mark.parametrize("light", [DAY, OVERCAST], ids=["day", "overcast"])
def test_a_vehicles_lower_edge_is_as_low_in_a_small_frame_as_in_one_three_times_as_large(light: Light) -> None:
    quiet = replace(light, noise=0.0)
    vehicles = ((Kind.CAR, 22.0, AWAY_RAD), (Kind.VAN, 27.0, TOWARDS_RAD), (Kind.CAR, 39.0, TOWARDS_RAD))
    lower = [lower_edge_px(*vehicle, quiet, 1) - lower_edge_px(*vehicle, quiet, 3) for vehicle in vehicles]
    assert np.mean(lower) == pytest.approx(0.0, abs=0.05)
    assert lower == pytest.approx([0.0] * len(lower), abs=0.15)


def test_a_stop_line_is_drawn_where_the_calibration_of_its_scene_has_it() -> None:
    scene = replace(red_light(2, 1, layout=FROM_AHEAD), vehicles=(), bystanders=(), light=replace(DAY, noise=0.0))
    picture = scene.render(0.0)[:, :, 1].astype(float)
    lanes = {lane["id"]: lane for lane in tomllib.loads(scene.calibration_toml())["lane"]}
    (start, end) = np.array(lanes["in-1"]["stop_line"])
    # The paint lies behind the line, half a metre deep, and ends a decimetre before the lane does.
    layout = scene.layout
    lane = layout.lane("in-1")
    assert layout.stop_line_m is not None
    behind = scene.pose.project_ground(np.array([[lane.centre_x_m, layout.stop_line_m - 0.5]]))[0, 1]
    row, middle = int((start[1] + behind) / 2), int((start[0] + end[0]) / 2)
    down = picture[row - 8 : row + 9, middle - 25 : middle + 25].mean(axis=1)
    asphalt = np.median(np.r_[down[:4], down[-4:]])
    found = np.array(half_rises(np.maximum(down - asphalt, 0.0))) + row - 8
    assert sorted(found) == pytest.approx(sorted([start[1], behind]), abs=0.15)
