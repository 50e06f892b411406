"""What a simulated camera shows is where the truth says it is, in its light and weather."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from devices.sim.camera.body import body_of
from devices.sim.camera.enforcement import speeding
from devices.sim.camera.junction import red_light
from devices.sim.camera.layout import Pole
from devices.sim.camera.light import DAY, NIGHT, OVERCAST, RAIN, Light
from devices.sim.camera.motion import AWAY_RAD, TOWARDS_RAD, Motion, Path, Phase, Place
from devices.sim.camera.number_plate import SHAPES, draw_plate
from devices.sim.camera.road_user import Kind, RoadUser
from devices.sim.camera.scene import Scene
from devices.sim.camera.signal_plan import LampState
from devices.sim.camera.traffic import FOUR_LANES, OVERVIEW, TWO_WAY, free_flow, knocked
from devices.sim.camera.video import StreamFaults, capture_times, frames, write_video

if TYPE_CHECKING:
    import pathlib

    import numpy.typing as npt

QUIET = replace(DAY, noise=0.0)


def standing(
    number: int, kind: Kind, x_m: float, y_m: float, heading_rad: float = AWAY_RAD, **looks: object
) -> RoadUser:
    return RoadUser(number, kind, Path(Place(x_m, y_m, heading_rad)), Motion(0.0), **looks)  # type: ignore[arg-type]


def scene_of(*vehicles: RoadUser, light: Light = QUIET) -> Scene:
    return Scene(replace(TWO_WAY, poles=()), vehicles, OVERVIEW, 10.0, 1, light)


def changed(one: Scene, other: Scene, t_s: float = 0.0) -> npt.NDArray[np.bool_]:
    """Where two scenes differ by more than a few grey levels."""
    return np.asarray(cv2.absdiff(one.render(t_s), other.render(t_s)).max(axis=2) > 12)


def test_a_frame_depends_on_its_time_alone_and_not_on_what_was_rendered_before() -> None:
    scene, same = free_flow(6, 1, light=RAIN), free_flow(6, 1, light=RAIN)
    forwards = [scene.render(t_s) for t_s in (4.0, 4.1, 9.0)]
    backwards = [same.render(t_s) for t_s in (9.0, 4.1, 4.0)]
    for one, other in zip(forwards, reversed(backwards), strict=True):
        assert np.array_equal(one, other)
    assert forwards[0].shape == (360, 640, 3)
    assert forwards[0].dtype == np.uint8


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.PEDESTRIAN])
@pytest.mark.parametrize("heading_rad", [AWAY_RAD, TOWARDS_RAD], ids=["away", "towards"])
def test_a_vehicle_stands_on_the_road_where_its_truth_is(kind: Kind, heading_rad: float) -> None:
    vehicle = standing(1, kind, 1.75, 22.0, heading_rad, colour=(40, 40, 190))
    scene = scene_of(vehicle, light=replace(OVERCAST, noise=0.0))
    rows = np.flatnonzero(changed(scene, scene_of(light=scene.light)).sum(axis=1) > 2)
    x, y = scene.contact_m(1, 0.0)
    foot_row = OVERVIEW.project_ground(np.array([[x, y]]))[0, 1]
    length_m, _, height_m = kind.size
    far, near = OVERVIEW.project(np.array([[x, y + length_m, height_m], [x, y + 0.15 * length_m, height_m]]))
    assert rows[-1] == pytest.approx(foot_row, abs=4)
    assert far[1] - 2 <= rows[0] <= near[1] + 2


def test_the_sun_casts_a_shadow_on_the_far_side_from_it_and_clouds_take_it_away() -> None:
    def darker(light: Light, x_m: float) -> float:
        place = OVERVIEW.project_ground(np.array([[x_m, 21.0]]))[0].astype(int)
        scenes = [scene_of(light=light), scene_of(standing(1, Kind.VAN, 0.0, 20.0), light=light)]
        empty, full = (one.render(0.0)[place[1], place[0]].astype(int).sum() for one in scenes)
        return float(1 - full / empty)

    assert darker(QUIET, 1.9) > 0.3
    assert abs(darker(QUIET, -1.9)) < 0.1
    assert abs(darker(replace(OVERCAST, noise=0.0), 1.9)) < 0.1


def test_the_road_is_dark_under_a_vehicle() -> None:
    scene = scene_of(standing(1, Kind.TRUCK, 1.75, 25.0, colour=(230, 230, 230)))
    u, v = OVERVIEW.project_ground(np.array([[1.75, 25.0 - 4.5]]))[0].astype(int)
    under, empty = scene.render(0.0)[v - 2, u].sum(), scene_of().render(0.0)[v - 2, u].sum()
    assert under < 0.6 * empty


def test_the_nearer_vehicle_hides_the_farther_whatever_their_order() -> None:
    near = standing(1, Kind.TRUCK, 1.75, 20.0, colour=(220, 220, 220))
    far = standing(2, Kind.CAR, 1.75, 30.0, colour=(20, 20, 220))
    scenes = [scene_of(near), scene_of(near, far), scene_of(far, near)]
    alone, behind, before = (scene.render(0.0) for scene in scenes)
    assert np.array_equal(behind, before)
    u, v = OVERVIEW.project(np.array([[1.75, 15.4, 1.0]]))[0].astype(int)
    assert np.array_equal(alone[v - 9 : v + 9, u - 9 : u + 9], behind[v - 9 : v + 9, u - 9 : u + 9])


def test_a_pole_hides_what_passes_behind_it() -> None:
    car = standing(1, Kind.CAR, 1.75, 30.0, colour=(20, 20, 220))
    layout = replace(TWO_WAY, poles=(Pole(1.0, 15.0, diameter_m=0.4),))
    u, v = OVERVIEW.project(np.array([[1.0, 15.0, 5.0]]))[0].astype(int)
    with_car, without = (replace(scene_of(*cars), layout=layout).render(0.0)[v, u] for cars in ((car,), ()))
    assert np.array_equal(with_car, without)


def test_a_truck_leaves_the_picture_gradually() -> None:
    light = replace(OVERCAST, noise=0.0)
    truck = RoadUser(1, Kind.TRUCK, Path(Place(-1.75, 25.0, TOWARDS_RAD)), Motion(8.0), colour=(230, 230, 230))
    scene, empty = scene_of(truck, light=light), scene_of(light=light)
    covered = [int(changed(scene, empty, float(t_s)).sum()) for t_s in np.arange(0.0, 5.0, 0.04)]
    assert max(covered) > 30_000
    assert covered[-1] == 0
    assert max(one - other for one, other in pairwise(covered)) < 7_000


def test_the_signals_lamps_show_its_state() -> None:
    scene = replace(red_light(4, 1), light=QUIET, vehicles=(), bystanders=())
    assert scene.signal is not None
    assert scene.layout.signal_head is not None
    head = scene.layout.signal_head
    lamps = np.array([[head.x_m, head.y_m, head.height_m - 0.4 * number] for number in range(3)])
    pixels = scene.pose.project(lamps).astype(int)
    for state in (LampState.RED, LampState.YELLOW, LampState.GREEN, LampState.RED_YELLOW):
        picture = scene.render(scene.signal.spans(state, scene.duration_s)[0][0] + 0.1)
        assert tuple(bool(picture[v, u].max() > 200) for u, v in pixels) == state.lit


@pytest.mark.parametrize("country", SHAPES)
def test_a_plate_reads_on_the_vehicle_as_it_was_drawn(country: str) -> None:
    scene = replace(speeding(2, 6, country=country), light=QUIET)
    car = scene.vehicles[0]
    t_s = next(float(t) for t in np.arange(scene.duration_s, 0, -0.02) if scene.is_in_view(1, float(t)))
    # The front plate is the last face.
    corners = car.at(t_s).to_ground(body_of(car).faces[-1].corners)
    plate = draw_plate(car.plate, country)
    height, width = plate.shape[:2]
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(scene.pose.project(corners).astype(np.float32), flat)
    seen = cv2.warpPerspective(scene.render(t_s), warp, (width, height), flags=cv2.INTER_LINEAR)

    def likeness(text: str) -> float:
        drawn = cv2.GaussianBlur(draw_plate(text, country)[:, :, :3], (0, 0), 2.0)
        return float(np.corrcoef(cv2.cvtColor(drawn, 6).ravel(), cv2.cvtColor(seen, 6).ravel())[0, 1])

    assert likeness(car.plate) > 0.85
    assert likeness(car.plate) > likeness(scene.vehicles[2].plate) + 0.1


def test_noise_is_as_strong_as_said_and_new_in_each_frame() -> None:
    scene = scene_of(light=replace(DAY, noise=3.0))
    difference = scene.render(1.0).astype(int) - scene.render(1.04).astype(int)
    assert difference.std() == pytest.approx(3.0 * 2**0.5, rel=0.1)


def test_night_is_dark_but_for_lamps() -> None:
    scene = scene_of(standing(1, Kind.CAR, -1.75, 25.0, TOWARDS_RAD, colour=(60, 40, 30)), light=NIGHT)
    picture = scene.render(0.0)
    assert np.median(picture) < 40
    lamp = scene.vehicles[0].at(0.0).to_ground(body_of(scene.vehicles[0]).headlamps)
    u, v = scene.pose.project(lamp)[0].astype(int)
    assert picture[v, u].min() > 200
    lit_u, lit_v = scene.pose.project_ground(np.array([[-1.75, 17.5]]))[0].astype(int)
    dark = scene_of(light=NIGHT).render(0.0)[lit_v, lit_u].mean()
    assert picture[lit_v, lit_u].mean() > dark + 25


def test_brake_lamps_light_up_by_day() -> None:
    braking = RoadUser(1, Kind.CAR, Path(Place(1.75, 10.0, AWAY_RAD)), Motion(10.0, 0.0, 0.0, (Phase(3.0, -3.0),)))
    scene = scene_of(braking)
    lamp = braking.at(1.0).to_ground(body_of(braking).tail_lamps)
    u, v = scene.pose.project(lamp)[0].astype(int)
    assert scene.render(1.0)[v, u, 2] > scene_of(replace(braking, motion=Motion(8.5))).render(1.0)[v, u, 2] + 40


def test_rain_falls_anew_in_each_frame() -> None:
    scene = scene_of(light=replace(RAIN, noise=0.0))
    assert 0.002 < float((cv2.absdiff(scene.render(1.0), scene.render(1.1)) > 10).mean()) < 0.1


def test_an_exposure_jump_brightens_the_frame_and_settles() -> None:
    scene = replace(scene_of(), exposure_jumps=((2.0, 1.5),))
    before, at_once, later = (float(scene.render(t_s).mean()) for t_s in (1.9, 2.0, 6.0))
    assert at_once > 1.3 * before
    assert later == pytest.approx(before, rel=0.03)


def test_a_knock_moves_the_whole_picture() -> None:
    scene = knocked(scene_of(), 5.0)
    assert float((cv2.absdiff(scene.render(4.9), scene.render(5.1)) > 12).any(axis=2).mean()) > 0.15


def test_a_file_reads_back_with_the_times_it_was_taken_at(tmp_path: pathlib.Path) -> None:
    scene = free_flow(4, 1)
    assert write_video(scene, tmp_path / "road.mp4", fps=12.5, start_s=4.0, end_s=6.0) == 25
    capture = cv2.VideoCapture(str(tmp_path / "road.mp4"))
    times, last = [], None
    while True:
        there, picture = capture.read()
        if not there:
            break
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
        last = picture
    assert times == pytest.approx([80.0 * number for number in range(25)], abs=0.1)
    assert last is not None
    assert np.abs(last.astype(int) - scene.render(4.0 + 24 / 12.5)).mean() < 6


def test_no_video_is_written_where_there_is_no_folder(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError, match="no video can be written"):
        write_video(free_flow(1, 1), tmp_path / "missing" / "road.mp4")


def test_a_stream_loses_and_delays_frames_as_told_and_tells_their_true_times() -> None:
    times = capture_times(40.0, 25.0, StreamFaults(drop=0.1, jitter_s=0.004, freezes=((10.0, 12.0),)), seed=2)
    assert len(times) == pytest.approx(0.9 * 950, rel=0.05)
    assert times == sorted(times)
    assert not [t_s for t_s in times if 10.0 <= t_s < 12.0]
    assert np.std(np.diff([t_s for t_s in times if t_s < 10.0]) % 0.04) > 0.002
    assert times == capture_times(40.0, 25.0, StreamFaults(0.1, 0.004, ((10.0, 12.0),)), seed=2)


def test_frames_are_what_the_scene_shows_at_their_times() -> None:
    scene = replace(free_flow(4, 1), duration_s=0.5)
    for frame in frames(scene, 10.0, StreamFaults(jitter_s=0.01)):
        assert np.array_equal(frame.image, scene.render(frame.t_s))


def test_many_lanes_in_any_weather_render() -> None:
    for light in (DAY, OVERCAST, RAIN, NIGHT):
        assert free_flow(12, 3, layout=FOUR_LANES, light=light).render(9.0).std() > 3
