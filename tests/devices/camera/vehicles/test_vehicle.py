"""Whether something seen can be another vehicle than one that is known: no two stand in one place."""

from __future__ import annotations

import numpy as np
import pytest

from devices.camera.frame import ClockClass
from devices.camera.track import Track, VehicleClass
from devices.camera.vehicles.extent import Extent
from devices.camera.vehicles.kalman import Motion
from devices.camera.vehicles.segment import Segment
from devices.camera.vehicles.sighting import Sighting
from devices.camera.vehicles.vehicle import Followed
from devices.camera.vehicles.view import View
from devices.sim.camera.scene import Scene
from devices.sim.camera.traffic import OVERVIEW, TWO_WAY
from tests.support.counted_scenes import calibration_of

VIEW = View(calibration_of(Scene(TWO_WAY, (), OVERVIEW, 1.0, 1)))


def going(y_m_s: float, vehicle: VehicleClass = VehicleClass.LIGHT) -> Followed:
    """One that was last seen at 0 s, 20 m from the camera, going away from it or (below 0) coming."""
    segment = Segment(Extent(0, 0, 10, 10), 100, (0.0, 10.0))
    place = np.array([0.0, 20.0])
    seen = Sighting(segment, np.array([5.0, 10.0]), place, np.eye(2), is_whole=True)
    one = Followed(Track(1, 1, ClockClass.RTSP, vehicle=vehicle), seen, (), was_hidden=False)
    one.motion = Motion(np.array([*place, 0.0, y_m_s]), np.eye(4))
    return one


@pytest.mark.parametrize(
    ("one", "reach_m"),
    [
        (going(0.0), 4.5),
        (going(0.0, VehicleClass.TWO_WHEELED), 3.5),
        (going(0.0, VehicleClass.HEAVY), 8.0),
        (going(-20.0), 10.0),
    ],
    ids=["a car", "a motorcycle", "a lorry", "at speed, half a second"],
)
def test_a_vehicle_keeps_others_as_far_off_as_it_is_long_or_follows(one: Followed, reach_m: float) -> None:
    assert one.covers(np.array([0.0, 20.0 + reach_m - 0.1]), 0, VIEW)
    assert not one.covers(np.array([0.0, 20.0 + reach_m + 0.1]), 0, VIEW)


def test_a_lorry_lies_beyond_its_nearer_end_and_a_motorcycle_may_be_close_before_that() -> None:
    lorry = going(0.0, VehicleClass.HEAVY)
    assert lorry.covers(np.array([0.0, 16.6]), 0, VIEW)
    assert not lorry.covers(np.array([0.0, 16.4]), 0, VIEW)


def test_it_keeps_them_off_where_it_is_by_now() -> None:
    one = going(-4.0)
    assert one.covers(np.array([0.0, 16.0]), 1_000_000, VIEW)
    assert not one.covers(np.array([0.0, 20.0]), 1_000_000, VIEW)


def test_one_that_is_followed_unseen_has_moved_on_once_by_then_and_not_twice() -> None:
    one = going(-4.0)
    one.stands = True
    one.predict(1_000_000, VIEW)
    one.coast()
    assert one.covers(np.array([0.0, 16.0 + 3.4]), 1_000_000, VIEW)
    assert not one.covers(np.array([0.0, 12.0]), 1_000_000, VIEW)


def test_one_that_was_not_seen_for_a_second_keeps_others_off_less_far() -> None:
    one = going(0.0)
    assert one.covers(np.array([0.0, 24.0]), 900_000, VIEW)
    assert not one.covers(np.array([0.0, 24.0]), 1_000_000, VIEW)
    assert one.covers(np.array([0.0, 23.4]), 1_000_000, VIEW)


def test_who_was_hidden_comes_back_where_it_was_or_farther_on() -> None:
    one = going(-1.0)
    places = (26.0, 19.0, 8.0, 4.0)
    assert [y_m for y_m in places if one.may_have_come_to(np.array([0.0, y_m]))] == [19.0, 8.0]
