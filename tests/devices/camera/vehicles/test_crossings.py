"""When a vehicle passes a line: between frames, once, and only when it is clearly beyond."""

from __future__ import annotations

import numpy as np
import pytest

from devices.camera.vehicles.crossings import LineWatch, Passed, Place, RoadLine
from devices.camera.vehicles.seen import LaneLine

UTC_US = 1_700_000_000_000_000


def place(at_ms: int, x_m: float, y_m: float) -> Place:
    return Place(at_ms * 1000, UTC_US + at_ms * 1000, 500 + at_ms, x_m, y_m)


def line(lane: str, from_x_m: float, to_x_m: float, y_m: float = 20.0, kind: LaneLine = LaneLine.COUNT) -> RoadLine:
    return RoadLine(lane, kind, np.array([[from_x_m, y_m], [to_x_m, y_m]]))


def passed(lines: tuple[RoadLine, ...], *places: Place) -> list[Passed]:
    watch = LineWatch(lines)
    return [one for each in places for one in watch.take(each)]


LANES = (line("left", -3.5, 0.0), line("right", 0.0, 3.5))


def test_the_time_of_a_crossing_is_interpolated_between_the_frames_on_both_sides() -> None:
    (one,) = passed(LANES, place(0, -2.0, 24.0), place(100, -2.0, 21.0), place(200, -2.0, 17.0))
    assert one == Passed("left", LaneLine.COUNT, 125_000, UTC_US + 125_000, 700)


def test_who_trembles_on_a_line_has_not_passed_it_until_he_leaves_it() -> None:
    trembling = [place(100 * index, -2.0, y) for index, y in enumerate((23.0, 20.2, 19.8, 20.1, 19.9, 20.2))]
    assert passed(LANES, *trembling) == []
    gone = [*trembling, place(600, -2.0, 19.8), place(700, -2.0, 18.0)]
    assert [one.lane for one in passed(LANES, *gone)] == ["left"]


def test_who_turns_back_before_a_line_has_not_passed_it() -> None:
    assert passed(LANES, place(0, -2.0, 23.0), place(100, -2.0, 19.9), place(200, -2.0, 23.0)) == []


@pytest.mark.parametrize(("x_m", "lanes"), [(0.1, ["right"]), (-0.1, ["left"]), (4.0, ["right"]), (5.0, [])])
def test_who_passes_near_the_ends_of_two_lines_counts_for_the_nearest_and_once(x_m: float, lanes: list[str]) -> None:
    assert [one.lane for one in passed(LANES, place(0, x_m, 24.0), place(100, x_m, 16.0))] == lanes


def test_each_line_is_passed_once_even_by_who_reverses() -> None:
    ways = [place(100 * index, -2.0, y) for index, y in enumerate((24.0, 18.0, 24.0, 18.0))]
    assert len(passed(LANES, *ways)) == 1


def test_who_cannot_have_passed_a_line_may_pass_it_once_he_is_back_before_it() -> None:
    watch = LineWatch(LANES)
    watch.take(place(0, -2.0, 24.0))
    (first,) = watch.take(place(100, -2.0, 19.0))
    watch.refuse(first)
    assert watch.take(place(200, -2.0, 17.0)) == []
    assert watch.take(place(300, -2.0, 23.0)) == [], "that was the way back"
    assert [one.lane for one in watch.take(place(400, -2.0, 17.0))] == ["left"]
    assert watch.take(place(500, -2.0, 23.0)) == []


def test_who_comes_out_from_behind_a_lorry_beyond_the_line_has_passed_it() -> None:
    stop = line("left", -3.5, 0.0, kind=LaneLine.STOP)
    watch = LineWatch((*LANES, stop))
    watch.take(place(0, -2.0, 14.0))
    coming = np.array([0.0, -5.0])
    assert [(one.lane, one.line) for one in watch.passed_unseen(coming)] == [("left", LaneLine.COUNT)]
    assert watch.passed_unseen(coming) == []


def test_who_comes_out_from_behind_a_lorry_on_the_line_and_goes_on_has_passed_it() -> None:
    watch = LineWatch(LANES)
    seen = [place(100 * index, -2.0, y) for index, y in enumerate((20.2, 19.8, 18.0))]
    assert [one for each in seen for one in watch.take(each)] == []
    assert [one.lane for one in watch.passed_unseen(np.array([0.0, -5.0]))] == ["left"]


def test_who_turns_back_on_the_line_has_not_passed_it_unseen() -> None:
    watch = LineWatch(LANES)
    for index, y_m in enumerate((23.0, 19.9, 23.0)):
        watch.take(place(100 * index, -2.0, y_m))
    assert watch.passed_unseen(np.array([0.0, 5.0])) == []


@pytest.mark.parametrize(("y_m", "speed_m_s"), [(14.0, 5.0), (26.0, -5.0), (3.0, -5.0)])
def test_who_goes_towards_a_line_or_is_far_from_it_has_not_passed_it(y_m: float, speed_m_s: float) -> None:
    watch = LineWatch(LANES)
    watch.take(place(0, -2.0, y_m))
    assert watch.passed_unseen(np.array([0.0, speed_m_s])) == []
