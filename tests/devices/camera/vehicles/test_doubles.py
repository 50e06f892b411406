"""Of two that are followed in one place, which one stays."""

from __future__ import annotations

import numpy as np

from devices.camera.frame import ClockClass
from devices.camera.track import Track
from devices.camera.vehicles.doubles import doubles
from devices.camera.vehicles.extent import Extent
from devices.camera.vehicles.segment import Segment
from devices.camera.vehicles.sighting import Sighting
from devices.camera.vehicles.vehicle import Followed


def at(y_m: float, number: int, *, is_vehicle: bool = True, passed: int = 0, has_shone: bool = False) -> Followed:
    """One that stands `y_m` from the camera, all of them seen in one part of the picture."""
    segment = Segment(Extent(0, 0, 10, 10), 100, (0.0, 10.0))
    seen = Sighting(segment, np.array([5.0, 10.0]), np.array([0.0, y_m]), np.eye(2), is_whole=True)
    one = Followed(Track(number, 1, ClockClass.RTSP), seen, (), was_hidden=False)
    one.shone = 3 if has_shone else 0
    one.stands, one.is_vehicle, one.passed = True, is_vehicle, passed
    return one


def dropped(*followed: Followed) -> list[int]:
    return [one.track.number for one in doubles(followed)]


def test_of_two_vehicles_in_one_place_the_older_one_stays() -> None:
    assert dropped(at(20.0, 2), at(21.0, 1)) == [2]
    assert dropped(at(20.0, 2), at(26.0, 1)) == []


def test_who_has_passed_a_line_stays() -> None:
    assert dropped(at(20.0, 1), at(21.0, 2, passed=1)) == [1]


def test_who_has_lamps_stays() -> None:
    assert dropped(at(20.0, 1), at(21.0, 2, is_vehicle=False, has_shone=True)) == [1]


def test_a_vehicle_does_not_give_way_to_something_older_that_never_became_one() -> None:
    assert dropped(at(20.0, 1, is_vehicle=False), at(21.0, 2)) == [1]


def test_nobody_is_the_double_of_one_that_goes_itself() -> None:
    assert dropped(at(20.0, 1, passed=1), at(22.5, 2), at(25.0, 3)) == [2]
