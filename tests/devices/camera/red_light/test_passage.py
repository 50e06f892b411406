from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from devices.camera.red_light import passage as passage_module
from devices.camera.red_light.passage import Doubtful, Passage, PassageWatch
from devices.camera.track import Direction, VehicleClass
from devices.camera.vehicles.seen import LaneLine
from tests.devices.camera.red_light.junction import CALIBRATION, FRAME_S, both_lines, crossing, point, vehicle

if TYPE_CHECKING:
    from devices.camera.track import Track
    from devices.camera.vehicles.seen import Crossing


def taken(*crossings: Crossing) -> Passage | Doubtful | None:
    watch = PassageWatch(CALIBRATION)
    for one in crossings:
        watch.take(one)
    return next(watch.finished(99_000_000), None)


def crossed(track: Track, direction: Direction = Direction.APPROACHING) -> Passage | Doubtful | None:
    """The track passes the stop line at 15 and the second line at 16."""
    stop, second = (
        crossing(track, at, line, direction) for at, line in ((15.0, LaneLine.STOP), (16.0, LaneLine.SECOND))
    )
    return taken(stop, second)


def test_both_lines_of_a_lane_in_the_lanes_direction_are_a_passage_in_whichever_order_they_are_told() -> None:
    stop, second = both_lines(15.0, 16.0)
    for crossings in ((stop, second), (second, stop)):
        found = taken(*crossings)
        assert isinstance(found, Passage)
        assert (found.lane, found.stop, found.second, found.front_us) == ("1", stop, second, 15_000_000)


def test_its_pictures_are_the_first_after_each_line() -> None:
    found = taken(*both_lines(15.01, 16.01))
    assert isinstance(found, Passage)
    for picture_us, line_us in zip(found.pictures_us, (15_010_000, 16_010_000), strict=True):
        assert 0 <= picture_us - line_us < FRAME_S * 1e6


def test_no_passage_is_made_of_two_vehicles_lanes_or_directions_or_of_a_minutes_wait() -> None:
    stop, second = both_lines(15.0, 16.0)
    assert taken(stop, both_lines(15.0, 16.0, number=2)[1]) is None
    assert taken(stop, second._replace(lane="2")) is None
    assert taken(stop, second._replace(direction=Direction.DEPARTING)) is None
    assert taken(stop, second._replace(line=LaneLine.COUNT)) is None
    assert taken(*both_lines(15.0, 75.1)) is None
    assert taken(*both_lines(16.0, 15.0)) is None


def merged(track: Track, first_s: float, last_s: float) -> Track:
    """The track, merged for a while with another vehicle, at which its contact point then is."""
    track.points = [
        one._replace(is_whole=False, x_m=30.0) if first_s < one.presentation_us / 1e6 < last_s else one
        for one in track.points
    ]
    return track


def test_who_is_hidden_for_too_long_between_the_lines_may_be_another() -> None:
    assert isinstance(crossed(merged(vehicle(12.0, 18.0), 15.2, 15.7)), Passage)
    assert not isinstance(crossed(merged(vehicle(12.0, 18.0), 15.2, 16.2)), Passage)


def test_who_was_hidden_at_the_stop_line_is_taken_to_have_passed_it_at_once() -> None:
    found = crossed(merged(vehicle(12.0, 18.0), 14.7, 15.2))
    assert isinstance(found, Passage)
    assert 14_600_000 < found.front_us <= 14_700_000


def test_the_line_is_passed_where_the_picture_has_it_whatever_the_tracker_says() -> None:
    found = crossed(vehicle(12.0, 18.0, 14.5))
    assert isinstance(found, Passage)
    assert 14_400_000 < found.front_us <= 14_500_000


@pytest.mark.parametrize(
    ("kind", "ahead_s"),
    [
        (VehicleClass.TWO_WHEELED, 0.3),
        (VehicleClass.LIGHT, 1.2),
        (VehicleClass.HEAVY, 1.875),
        (VehicleClass.UNKNOWN, 1.875),
    ],
)
def test_seen_from_behind_the_front_is_ahead_by_the_longest_that_the_vehicle_may_be(
    kind: VehicleClass, ahead_s: float
) -> None:
    track = replace(vehicle(10.0, 17.0, speed_m_s=10.0), vehicle=kind)
    found = crossed(track, Direction.DEPARTING)
    assert isinstance(found, Passage)
    assert 0 <= 15_000_000 - found.front_us - ahead_s * 1e6 <= 2.01 * FRAME_S * 1e6


def test_seen_from_behind_who_came_into_view_too_late_may_have_passed_the_line_before() -> None:
    for first_s, kind in ((14.8, Doubtful), (14.0, Passage)):
        assert isinstance(crossed(vehicle(first_s, 17.0, speed_m_s=10.0), Direction.DEPARTING), kind)


def test_seen_from_behind_who_waited_with_the_front_over_the_line_may_have_passed_it_when_it_came() -> None:
    coming, going = vehicle(5.0, 8.0, 8.4), vehicle(14.0, 17.0, 14.4)
    waiting = [point(8.0 + index * FRAME_S, coming.points[-1].y_m) for index in range(1, 90)]
    coming.points += [*waiting, *going.points]
    # Its rear is 4.8 m before the line.
    stop = crossing(coming, 14.4, LaneLine.STOP, Direction.DEPARTING)
    found = taken(stop, crossing(coming, 16.0, LaneLine.SECOND, Direction.DEPARTING))
    assert isinstance(found, Passage)
    assert found.front_us < 8_000_000


@pytest.mark.parametrize(("u_px", "is_within"), [(14.0, False), (16.0, True), (84.0, True), (86.0, False)])
@pytest.mark.parametrize("at_s", [15.0, 16.0])
def test_who_turns_off_beside_the_second_line_has_not_passed_it(u_px: float, at_s: float, *, is_within: bool) -> None:
    track = vehicle(12.0, 17.0)
    track.points = [
        one._replace(u_px=u_px) if abs(one.presentation_us - at_s * 1e6) < 0.3e6 else one for one in track.points
    ]
    assert isinstance(crossed(track), Passage) is is_within


def test_who_stops_behind_the_second_line_or_whose_shadow_alone_passed_it_has_not_gone_on() -> None:
    track = vehicle(12.0, 25.0)
    track.points = [
        one._replace(y_m=min(one.y_m, 12.0 * 4.0 + stands_m)) for one in track.points for stands_m in (4.9,)
    ]
    stop, second = (crossing(track, at, line) for at, line in ((15.0, LaneLine.STOP), (16.0, LaneLine.SECOND)))
    assert taken(stop, second) is None
    watch = PassageWatch(CALIBRATION)
    for one in both_lines(15.0, 16.0):
        watch.take(one)
    (found,) = watch.finished(17_000_000)
    assert isinstance(found, Passage)
    assert 0 <= found.onward_us - 16_000_000 - 5e6 / 12 <= 2 * FRAME_S * 1e6


def test_the_vehicles_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passage_module, "VEHICLES_MAX", 2)
    watch = PassageWatch(CALIBRATION)
    pairs = [both_lines(15.0, 16.0, number=number) for number in range(3)]
    for stop, _ in pairs:
        watch.take(stop)
    for _, second in pairs[1:]:
        watch.take(second)
    assert [one.track.number for one in watch.finished(17_000_000)] == [1, 2]
