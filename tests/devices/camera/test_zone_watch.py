from devices.camera.calibration.lanes import Lane
from devices.camera.track import Track
from devices.camera.vehicles.seen import Seen
from devices.camera.zone_watch import ZoneWatch
from tests.devices.camera.making import point, track

ZONE = ((0.0, 10.0), (30.0, 10.0), (30.0, 30.0), (0.0, 30.0))
LANES = (Lane("1", speed_zone=ZONE), Lane("2"))


def walk(*v_px: float, ends: bool = False) -> list[tuple[float, str]]:
    """Drive a vehicle down the picture; what was told, with where it was then."""
    watch, vehicle, told = ZoneWatch(LANES), track(1), []
    for index, v in enumerate(v_px):
        vehicle.points.append(point(index / 10, 15, v))
        told += [(v, one.lane) for one in watch.take(seen(vehicle))]
    if ends:
        told += [(-1, one.lane) for one in watch.take(Seen((), (vehicle,), ()))]
    return told


def seen(*live: Track) -> Seen:
    return Seen(live, (), ())


def test_a_vehicle_is_told_once_when_it_has_left_the_zone() -> None:
    assert walk(5, 12, 20, 28, 31, 33, 35, 37, 39, 41, ends=True) == [(35, "1")]


def test_where_it_was_first_and_last_seen_in_the_zone_is_told() -> None:
    watch, vehicle = ZoneWatch(LANES), track(1)
    passed = []
    for index, v in enumerate((5, 12, 20, 28, 31, 33, 35)):
        vehicle.points.append(point(index / 10, 15, v))
        passed += watch.take(seen(vehicle))
    assert [(one.first.v_px, one.last.v_px) for one in passed] == [(12, 28)]


def test_a_vehicle_that_is_known_to_be_one_only_in_the_zone_was_in_it_before() -> None:
    watch, vehicle = ZoneWatch(LANES), track(1)
    vehicle.points += [point(index / 10, 15, v) for index, v in enumerate((5, 12, 20))]
    passed = []
    for index, v in enumerate((28, 31, 33, 35)):
        vehicle.points.append(point(0.3 + index / 10, 15, v))
        passed += watch.take(seen(vehicle))
    assert [(one.first.v_px, one.last.v_px) for one in passed] == [(12, 28)]


def test_a_vehicle_that_is_known_to_be_one_only_beyond_the_zone_has_passed_it() -> None:
    watch, vehicle = ZoneWatch(LANES), track(1)
    vehicle.points += [point(index / 10, 15, v) for index, v in enumerate((5, 12, 20, 28, 31, 33, 35))]
    assert [(one.first.v_px, one.last.v_px) for one in watch.take(seen(vehicle))] == [(12, 28)]
    vehicle.points.append(point(0.7, 15, 37))
    assert watch.take(seen(vehicle)) == []


def test_a_vehicle_that_is_lost_in_the_zone_is_told_then() -> None:
    assert walk(5, 12, 20, ends=True) == [(-1, "1")]


def test_a_contact_point_that_jumps_out_and_back_has_not_left() -> None:
    assert walk(5, 12, 35, 20, 25, ends=True) == [(-1, "1")]


def test_a_vehicle_beside_the_zone_is_not_told() -> None:
    assert walk(1, 2, 3, 4, 5, ends=True) == []
