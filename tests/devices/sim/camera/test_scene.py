"""A simulated scene is the same for the same seed, and its truth is consistent."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices.camera.calibration.calibration import load_calibration
from devices.sim.camera.enforcement import PLATE_POSE, speeding
from devices.sim.camera.junction import FROM_AHEAD, FROM_BEHIND, SHARES, red_light
from devices.sim.camera.motion import TOWARDS_RAD, Motion, Path, Phase, Place, braking
from devices.sim.camera.number_plate import SHAPES
from devices.sim.camera.pose import Pose
from devices.sim.camera.signal_plan import LampState, cycles
from devices.sim.camera.survey import SurveyError
from devices.sim.camera.traffic import FOUR_LANES, OVERVIEW, free_flow, knocked, queue

if TYPE_CHECKING:
    import pathlib

    from devices.sim.camera.layout import Layout
    from devices.sim.camera.scene import LineCrossing, Scene


def crossings_of(scene: Scene) -> dict[tuple[int, str], LineCrossing]:
    return {(one.number, one.line): one for one in scene.crossings()}


def test_a_pose_maps_the_ground_to_pixels_and_back() -> None:
    pose = Pose(tilt_deg=17, pan_deg=-8, roll_deg=3, x_m=2.5)
    ground = np.array([[0.0, 12.0], [-4.0, 30.0], [6.0, 55.0]])
    assert pose.to_ground(pose.project_ground(ground)) == pytest.approx(ground)


def test_what_is_right_ahead_and_nearer_is_right_and_lower_in_the_frame() -> None:
    left, right, far = Pose().project_ground(np.array([[-1.0, 20.0], [1.0, 20.0], [1.0, 40.0]]))
    assert left[0] < right[0]
    assert far[1] < right[1]


def test_a_pose_sees_nothing_of_the_road_above_the_horizon() -> None:
    assert np.isnan(Pose(tilt_deg=10).to_ground(np.array([[640.0, 0.0]]))).all()


def test_a_sub_stream_sees_the_same_in_fewer_pixels() -> None:
    pose, ground = Pose(pan_deg=3), np.array([[1.0, 25.0]])
    assert pose.scaled_to(640, 360).project_ground(ground) * 2 == pytest.approx(pose.project_ground(ground))
    with pytest.raises(ValueError, match="aspect ratio"):
        pose.scaled_to(640, 480)


def test_a_motion_comes_to_a_place_when_it_says() -> None:
    motion = Motion(12.0, 3.0, 5.0, (braking(12.0, 30.0), Phase(4.0, 0.0), Phase(5.0, 2.0)))
    for distance_m in (-40.0, 5.0, 20.0, 34.9, 36.0, 59.0, 100.0):
        assert motion.at(motion.time_at(distance_m))[0] == pytest.approx(distance_m)


def test_a_motion_that_ends_standing_never_comes_farther() -> None:
    assert Motion(10.0, phases=(braking(10.0, 20.0),)).time_at(21.0) == inf


def test_speed_is_what_distance_changes_by() -> None:
    motion = Motion(8.0, 1.0, 0.0, (Phase(2.0, 1.5), Phase(3.0, -2.0)))
    for t_s in (0.5, 2.0, 4.0, 9.0):
        passed_m = motion.at(t_s + 1e-4)[0] - motion.at(t_s - 1e-4)[0]
        assert motion.at(t_s)[1] == pytest.approx(passed_m / 2e-4)


def test_a_path_that_turns_right_ends_at_a_right_angle() -> None:
    path = Path(Place(0.0, 50.0, TOWARDS_RAD), turn_after_m=20.0, turn_radius_m=6.0, turn_deg=90.0)
    end = path.at(20.0 + 6.0 * np.pi / 2 + 10.0)
    assert (end.x_m, end.y_m) == pytest.approx((-16.0, 24.0))


def test_a_signal_shows_its_lamps_in_their_order() -> None:
    plan = cycles(1, green_s=10, yellow_s=3, red_s=12, start_s=2)
    shown = [plan.at(t_s) for t_s in (0.0, 2.0, 11.9, 12.0, 15.0, 25.9, 26.0, 40.0)]
    assert [str(state) for state in shown] == [
        *("red", "green", "green", "yellow", "red", "red", "red_yellow", "red_yellow"),
    ]
    assert plan.spans(LampState.RED, 30.0) == [(1.0, 2.0), (15.0, 26.0)]


def test_the_same_seed_gives_the_same_traffic_and_another_seed_another() -> None:
    assert free_flow(8, 1) == free_flow(8, 1)
    assert free_flow(8, 1).vehicles != free_flow(8, 2).vehicles


def test_every_vehicle_of_free_flow_passes_the_count_line_of_its_lane_once() -> None:
    scene = free_flow(20, 5, layout=FOUR_LANES)
    crossed = [one for one in scene.crossings() if one.line == "count_line"]
    assert [one.number for one in crossed] == list(range(1, 21))
    assert all(one.front_s is not None and one.rear_s is not None for one in crossed)


def test_front_and_rear_pass_a_line_a_length_apart_at_the_true_speed() -> None:
    scene = free_flow(10, 6)
    for vehicle in scene.vehicles:
        crossing = crossings_of(scene)[vehicle.number, "count_line"]
        assert crossing.front_s is not None
        assert crossing.rear_s is not None
        length_m = (crossing.rear_s - crossing.front_s) * vehicle.motion.speed_m_s
        assert length_m == pytest.approx(vehicle.kind.size.length_m, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_vehicles_of_one_lane_never_touch_in_sight(seed: int) -> None:
    for scene in (free_flow(16, seed), queue(16, seed)):
        for lane in scene.layout.lanes:
            column = [one for one in scene.vehicles if one.lane == lane.id]
            for ahead, behind in pairwise(column):
                for t_s in np.arange(0, scene.duration_s, 0.5):
                    if behind.motion.at(t_s)[0] >= 0 and ahead.motion.at(t_s)[0] <= 125:
                        gap_m = behind.at(t_s).front_m[1] - ahead.at(t_s).rear_m[1]
                        assert (gap_m if lane.approaching else -gap_m) > 1.4


def test_a_queue_stands_one_and_a_half_metres_apart() -> None:
    scene = queue(6, 3)
    column = [one for one in scene.vehicles if one.lane == scene.layout.lanes[0].id]
    standing = [one.at(0.0) for one in column]
    assert all(state.speed_m_s == 0 for state in standing)
    assert [abs(a.rear_m[1] - b.front_m[1]) for a, b in pairwise(standing)] == pytest.approx([1.5] * 2)


def test_a_queue_moves_off_one_vehicle_after_the_other() -> None:
    scene = queue(6, 3)
    column = [one for one in scene.vehicles if one.lane == scene.layout.lanes[0].id]
    moving = [[one.at(t_s).speed_m_s > 0 for one in column] for t_s in (1.5, 2.5, 3.5)]
    assert moving == [[True, False, False], [True, True, False], [True, True, True]]


@pytest.mark.parametrize("layout", [FROM_BEHIND, FROM_AHEAD], ids=["from behind", "from ahead"])
def test_who_does_what_at_a_signal_is_true(layout: Layout) -> None:
    scene = red_light(60, 7, layout=layout)
    assert len(scene.vehicles) == 60
    assert {one.behaviour for one in scene.vehicles} == set(SHARES)
    crossings, signal = crossings_of(scene), scene.signal
    assert signal is not None

    def state(number: int, line: str, end: str) -> str | None:
        crossing = crossings.get((number, line))
        at_s = crossing and getattr(crossing, end)
        return None if at_s is None else str(signal.at(at_s))

    for vehicle in scene.vehicles:
        shown = tuple(
            state(vehicle.number, line, end) for line in ("stop_line", "second_line") for end in ("front_s", "rear_s")
        )
        match vehicle.behaviour:
            case "runs_red":
                assert shown == ("red",) * 4
            case "late_yellow":
                assert shown[0] == "yellow"
            case "stops_over":
                assert shown[0] in ("yellow", "red")
                assert shown[1:] == ("green",) * 3
            case "turns":
                assert shown[0] == "red"
                assert shown[2:] == (None, None)
            case "blocked":
                assert shown[0] == "yellow"
                assert shown[2:] == ("red", "red")
            case _:
                assert shown == ("green",) * 4


def test_every_second_car_speeds_and_an_eu_plate_grows_to_a_hundred_pixels() -> None:
    scene = speeding(4, 2)
    fast = {one.number for one in scene.vehicles if one.at(0.0).speed_m_s * 3.6 > 50}
    assert fast == {one.number for one in scene.vehicles if one.behaviour == "speeding"}
    assert len(fast) == 2
    x, y = next(
        scene.contact_m(1, t_s) for t_s in np.arange(scene.duration_s, 0, -0.02) if scene.is_in_view(1, float(t_s))
    )
    half = SHAPES["eu"].width_m / 2
    left, right = PLATE_POSE.project(np.array([[x - half, y, 0.45], [x + half, y, 0.45]]))
    assert right[0] - left[0] >= 100


def test_an_exact_survey_is_the_pose() -> None:
    scene = free_flow(4, 1)
    text = tomllib.loads(scene.calibration_toml())
    assert text["frame"] == {"width_px": 640, "height_px": 360}
    marks = {one["name"]: one for one in text["point"]}
    for mark in marks.values():
        pixel = OVERVIEW.project_ground(np.array([[mark["x_m"], mark["y_m"]]]))[0]
        assert pixel == pytest.approx((mark["x_px"], mark["y_px"]), abs=0.02)
    for distance in text["distance"]:
        ends = [marks[distance[key]] for key in ("from", "to")]
        places = [np.array([one["x_m"], one["y_m"]]) for one in ends]
        assert np.linalg.norm(places[1] - places[0]) == pytest.approx(distance["metres"], abs=2e-4)
    count_line = OVERVIEW.to_ground(np.array(text["lane"][0]["count_line"]))
    assert count_line == pytest.approx(np.array([[-3.5, 20.0], [0.0, 20.0]]), abs=0.01)


def test_the_calibration_is_accepted_and_as_exact_as_the_survey(tmp_path: pathlib.Path) -> None:
    for scene in (free_flow(4, 1, layout=FOUR_LANES), red_light(4, 1), red_light(4, 1, layout=FROM_AHEAD)):
        path = tmp_path / "calibration.toml"
        path.write_text(scene.calibration_toml())
        calibration = load_calibration(path)
        ground = np.array([[0.0, 16.0], [-2.0, 30.0]])
        assert calibration.plane is not None
        assert calibration.plane.to_ground(scene.pose.project_ground(ground)) == pytest.approx(ground, abs=0.01)
        assert [lane.id for lane in calibration.lanes] == [lane.id for lane in scene.layout.lanes]
        signalled = [lane.id for lane in calibration.lanes if lane.stop_line is not None]
        assert signalled == [lane.id for lane in scene.layout.lanes if lane.is_signalled and scene.signal is not None]


def test_a_lane_that_the_frame_cuts_is_not_calibrated(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "calibration.toml"
    path.write_text(speeding(2, 1).calibration_toml())
    assert [lane.id for lane in load_calibration(path).lanes] == ["in"]


def test_a_surveyor_errs_as_much_as_told_and_by_seed() -> None:
    scene = free_flow(4, 1)
    exact = tomllib.loads(scene.calibration_toml())
    erring = tomllib.loads(scene.calibration_toml(SurveyError(1.5, 0.05), seed=3))
    shifts = [one["x_px"] - other["x_px"] for one, other in zip(exact["point"], erring["point"], strict=True)]
    assert 0.5 < np.std(shifts) < 3.0
    assert erring["sigma_px"] == 1.5
    assert {one["uncertainty_m"] for one in erring["distance"]} == {0.1}
    assert scene.calibration_toml(SurveyError(1.5, 0.05), 3) == scene.calibration_toml(SurveyError(1.5, 0.05), 3)
    assert scene.calibration_toml(SurveyError(1.5, 0.05), 3) != scene.calibration_toml(SurveyError(1.5, 0.05), 4)


def test_a_knock_turns_the_camera_from_its_time_on() -> None:
    scene = knocked(free_flow(4, 1), 5.0, pan_deg=2.0)
    assert scene.pose_at(4.999) == scene.pose
    assert scene.pose_at(5.0).pan_deg == scene.pose.pan_deg + 2.0
