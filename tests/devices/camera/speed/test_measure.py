from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices.camera.calibration.ground_plane import GroundPlane, nominal_plane
from devices.camera.frame import ClockClass
from devices.camera.speed.contact import ContactPoint, camera_height_m
from devices.camera.speed.measure import measure
from devices.camera.speed.measurement import Measurement, Reason, Refusal
from devices.camera.track import Direction
from devices.sim.camera.pose import Pose
from tests.devices.camera.speed.tracks import FRAME_SIZE, Drive, at, on_road, plane, zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.track import TrackPoint


ON_THE_ROAD = ContactPoint(height_m=0.0, height_uncertainty_m=0.1, drift_widths=1 / 1280)


def measured(points: Sequence[TrackPoint], clock: ClockClass = ClockClass.RTSP) -> Measurement | Refusal:
    return measure(points, plane(), FRAME_SIZE, zone(), clock, ON_THE_ROAD)


def speed_of(points: Sequence[TrackPoint]) -> Measurement:
    result = measured(points)
    assert isinstance(result, Measurement), result
    return result


def moved(points: Sequence[TrackPoint], chosen: slice, down_px: float) -> list[TrackPoint]:
    changed = list(points)
    changed[chosen] = [point._replace(v_px=point.v_px + down_px) for point in changed[chosen]]
    return changed


@pytest.mark.parametrize("km_h", [30, 60, 90, 120])
@pytest.mark.parametrize("departing", [False, True])
def test_a_steady_vehicle_is_measured_within_the_stated_uncertainty(km_h: int, departing: bool) -> None:  # noqa: FBT001 - a case's value
    for seed in range(20):
        result = speed_of(Drive(km_h / 3.6, departing=departing).points(seed))
        assert abs(result.speed_m_s - km_h / 3.6) <= result.uncertainty_m_s
        assert result.direction is (Direction.DEPARTING if departing else Direction.APPROACHING)
        assert result.uncertainty_m_s < 0.05 * result.speed_m_s + 0.3


def test_lost_frames_change_nothing_as_time_comes_from_presentation_and_not_from_counting() -> None:
    random = np.random.default_rng(7)
    points = Drive(25.0, frames_per_s=25.0).points()
    kept = [point for point in points if random.random() > 0.1]
    assert len(kept) < len(points)
    assert abs(speed_of(kept).speed_m_s - 25.0) < 0.25


def test_uneven_times_between_frames_change_nothing_as_each_has_its_own() -> None:
    random = np.random.default_rng(3)
    points = [on_road(1.5, 50.0 - 25.0 * t, t) for t in np.sort(random.uniform(0.0, 1.6, 40)).tolist()]
    assert abs(speed_of(points).speed_m_s - 25.0) < 0.05


def test_the_same_track_gives_the_same_measurement() -> None:
    points = Drive().points()
    assert measured(points) == measured(list(points))


def test_any_clock_measures_but_only_the_cameras_own_may_be_enforced() -> None:
    points = Drive().points()
    results = {clock: measured(points, clock) for clock in ClockClass}
    enforceable = {
        clock for clock, result in results.items() if isinstance(result, Measurement) and result.is_enforceable
    }
    assert all(isinstance(result, Measurement) for result in results.values())
    assert enforceable == {ClockClass.HARDWARE, ClockClass.RTSP, ClockClass.CONTAINER}


def test_a_contact_point_over_the_road_is_allowed_for_by_the_cameras_height() -> None:
    points = Drive(25.0, height_m=0.3, noise_px=0.0).points()
    known = measure(points, plane(), FRAME_SIZE, zone(), ClockClass.RTSP, ContactPoint(0.3, 0.02, 1 / 2560))
    unknown = measure(points, plane(), FRAME_SIZE, zone(), ClockClass.RTSP, ContactPoint(0.0, 0.02, 1 / 2560))
    assert isinstance(known, Measurement)
    assert isinstance(unknown, Measurement)
    assert known.speed_m_s == pytest.approx(25.0, rel=2e-3)
    assert unknown.speed_m_s == pytest.approx(25.0 * 6.0 / 5.7, rel=2e-3)


@pytest.mark.parametrize("pose", [Pose(), Pose(height_m=9.0, tilt_deg=35.0, pan_deg=25.0, roll_deg=4.0)])
def test_the_cameras_height_follows_from_the_plane(pose: Pose) -> None:
    assert camera_height_m(plane(pose), (pose.width_px, pose.height_px)) == pytest.approx(pose.height_m, rel=1e-6)


def test_a_worse_survey_a_coarser_picture_and_fewer_points_each_make_the_speed_less_certain() -> None:
    drive = Drive(20.0, frames_per_s=25.0)
    points = drive.points()
    least = speed_of(points).uncertainty_m_s
    worse = measure(points, plane(sigma=1e-2), FRAME_SIZE, zone(), ClockClass.RTSP, ON_THE_ROAD)
    coarser = measure(points, plane(), FRAME_SIZE, zone(), ClockClass.RTSP, ContactPoint(0.0, 0.1, 1 / 640))
    assert isinstance(worse, Measurement)
    assert isinstance(coarser, Measurement)
    assert worse.uncertainty_m_s > least
    assert coarser.uncertainty_m_s > least
    assert speed_of(dataclasses.replace(drive, noise_px=1.0).points()).uncertainty_m_s > least


def test_only_the_zone_counts() -> None:
    points = Drive(25.0, frames_per_s=25.0).points()
    dirty = moved(moved(points, slice(0, 2), -40.0), slice(-2, None), 60.0)
    assert measured(dirty) == measured(points)
    assert speed_of(points).span_m < 30.0


def stopping() -> list[TrackPoint]:
    return Drive(20.0, acceleration_m_s2=-3.0).points()


def changing_lanes() -> list[TrackPoint]:
    return [on_road(1.75 - 3.5 * min(1.0, max(0.0, step / 18 - 0.5)), 48.0 - step, step / 20) for step in range(36)]


REFUSED = {
    "seen too seldom": (Drive(30.0, frames_per_s=6.0).points(), Reason.TOO_FEW_POINTS),
    "seen on a short stretch": (Drive(12.0).points()[12:23], Reason.TOO_SHORT),
    "standing": ([on_road(0.0, 30.0, step / 10) for step in range(40)], Reason.TOO_SHORT),
    "hidden for a while": ([*Drive().points()[:9], *Drive().points()[17:]], Reason.GAP),
    "at the frame's edge": (
        [point._replace(is_whole=index % 3 > 0) for index, point in enumerate(Drive().points())],
        Reason.CUT,
    ),
    "trembling": (Drive(noise_px=7.0).points(), Reason.UNEVEN),
    "its lower edge hidden": (moved(Drive(15.0).points(), slice(14, 20), -25.0), Reason.UNEVEN),
    "changing lanes": (changing_lanes(), Reason.NOT_STRAIGHT),
    "braking hard": (stopping(), Reason.SPEED_CHANGES),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_doubtful_track_is_refused_with_its_reason(case: str) -> None:
    points, reason = REFUSED[case]
    assert measured(points) == Refusal(reason)


def test_the_longest_stretch_that_shows_the_whole_vehicle_is_measured_and_nothing_else() -> None:
    points = Drive(15.0, noise_px=0.0).points()
    # Where it was not seen whole, a light ahead of it was followed.
    lit = [point._replace(is_whole=False) for point in moved(points, slice(8, 20), 40.0)[8:20]]
    told = speed_of([*points[:8], *lit, *points[20:]])
    alone = speed_of(points[20:])
    assert told == alone
    assert told.speed_m_s == pytest.approx(15.0, rel=1e-3)
    assert told.span_m < 20.0


def test_a_track_on_which_the_estimators_disagree_is_refused() -> None:
    # Steady at 90 km/h; in the last part of the zone its contact point creeps back from the bumper to the wheels.
    steps = np.linspace(48.0, 12.0, 60).tolist()
    places = [y if y > 27.0 else y + 0.06 * (27.0 - y) for y in steps]
    points = [on_road(1.0, y, index * 0.6 / 25.0) for index, y in enumerate(places)]
    assert measured(points) == Refusal(Reason.ESTIMATORS_DISAGREE)


def driving(x_m: float, ahead_m: float, seconds: float = 1.6) -> list[TrackPoint]:
    times = np.arange(0.0, seconds, 1 / 15).tolist()
    return [on_road(x_m, 50.0 - ahead_m - 25.0 * t, t) for t in times]


@pytest.mark.parametrize(("x_m", "ahead_m"), [(1.5, 3.0), (1.0, -5.0)])
def test_two_tracks_where_one_vehicle_fits_are_both_refused(x_m: float, ahead_m: float) -> None:
    one, other = driving(1.5, 0.0), driving(x_m, ahead_m)
    for points, others in ((one, [other]), (other, [one])):
        told = measure(points, plane(), FRAME_SIZE, zone(), ClockClass.RTSP, ON_THE_ROAD, others)
        assert told == Refusal(Reason.NOT_ALONE)


@pytest.mark.parametrize(("x_m", "ahead_m", "seconds"), [(-2.0, 0.0, 1.6), (1.5, 12.0, 1.6), (1.5, 3.0, 0.2)])
def test_a_vehicle_beside_or_ahead_or_a_moments_double_refuses_nothing(
    x_m: float, ahead_m: float, seconds: float
) -> None:
    others = [driving(x_m, ahead_m, seconds)]
    told = measure(driving(1.5, 0.0), plane(), FRAME_SIZE, zone(), ClockClass.RTSP, ON_THE_ROAD, others)
    assert isinstance(told, Measurement)


def test_a_road_that_nobody_surveyed_gives_no_speed() -> None:
    points = Drive().points()
    assert measure(points, nominal_plane(*FRAME_SIZE), FRAME_SIZE, zone(), ClockClass.RTSP) == Refusal(Reason.NO_SURVEY)


def test_a_survey_too_coarse_for_any_limit_gives_no_speed() -> None:
    coarse = plane(sigma=0.1)
    assert measure(Drive().points(), coarse, FRAME_SIZE, zone(), ClockClass.RTSP) == Refusal(Reason.TOO_UNCERTAIN)


def test_a_plane_of_no_camera_gives_no_speed() -> None:
    skewed = GroundPlane(np.array([[0.02, 0.0, -12.8], [0.0, -0.05, 36.0], [0.0, 0.0, 1.0]]), np.eye(9) * 1e-9)
    assert measure(Drive().points(), skewed, FRAME_SIZE, zone(), ClockClass.RTSP) == Refusal(Reason.NO_SURVEY)


def test_whatever_a_track_is_it_is_measured_or_refused_also_over_the_horizon() -> None:
    random = np.random.default_rng(5)
    whole_frame = ((-100.0, -100.0), (1400.0, -100.0), (1400.0, 900.0), (-100.0, 900.0))
    reasons = set()
    for size in (1, 8, 9, 40):
        for _ in range(20):
            pixels = np.cumsum(random.normal(0, 30.0, (size, 2)), axis=0) + random.uniform((0, 0), FRAME_SIZE)
            points = [at(u, v, index / 15) for index, (u, v) in enumerate(pixels.tolist())]
            told = measure(points, plane(), FRAME_SIZE, whole_frame, ClockClass.RTSP)
            assert isinstance(told, Refusal)
            reasons.add(told.reason)
    assert {Reason.TOO_FEW_POINTS, Reason.TOO_UNCERTAIN, Reason.TOO_SHORT} <= reasons


def test_an_empty_track_and_an_empty_zone_give_no_speed() -> None:
    nothing = Refusal(Reason.TOO_FEW_POINTS)
    assert measured([]) == nothing
    assert measure(Drive().points(), plane(), FRAME_SIZE, (), ClockClass.RTSP) == nothing


def test_a_track_of_thousands_of_points_is_thinned_to_a_bounded_number() -> None:
    slow = [on_road(0.0, 48.0 - step * 0.01, step / 100) for step in range(3_800)]
    result = speed_of(slow)
    assert result.speed_m_s == pytest.approx(1.0, rel=0.01)
    assert result.points == 240
