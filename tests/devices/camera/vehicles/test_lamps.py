"""Where vehicles stand, by their lamps, in rendered pictures of the dark and of rain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices.camera.vehicles.by_lamps import label_at
from devices.camera.vehicles.extent import Extent
from devices.camera.vehicles.foreground import Foreground
from devices.camera.vehicles.lamps import Lamps, lamps_in
from devices.camera.vehicles.view import View
from devices.sim.camera.light import DAY, NIGHT, RAIN
from devices.sim.camera.motion import AWAY_RAD, TOWARDS_RAD, Motion, Path, Place
from devices.sim.camera.road_user import Kind, RoadUser
from devices.sim.camera.scene import Scene
from devices.sim.camera.traffic import MAST, TWO_WAY
from tests.support.counted_scenes import calibration_of

if TYPE_CHECKING:
    from devices.sim.camera.light import Light

GREY = (90, 90, 90)


def standing(kind: Kind, y_m: float, *, approaching: bool, number: int = 1) -> RoadUser:
    """One whose nearer end is `y_m` from the camera."""
    lane = TWO_WAY.lanes[0] if approaching else TWO_WAY.lanes[1]
    middle = y_m + kind.size.length_m / 2
    start = Place(lane.centre_x_m, middle, TOWARDS_RAD if approaching else AWAY_RAD)
    return RoadUser(number, kind, Path(start), Motion(0.0), lane.id, GREY)


def seen(light: Light, *vehicles: RoadUser) -> tuple[list[Lamps], View]:
    scene = Scene(TWO_WAY, vehicles, MAST, light=light)
    view = View(calibration_of(scene))
    return lamps_in(scene.render(0.0), view), view


def places(found: list[Lamps], view: View) -> list[tuple[float, float]]:
    return [tuple(view.ground(one.contact)[0].round(1).tolist()) for one in found]


@pytest.mark.parametrize("light", [NIGHT, RAIN], ids=["night", "rain"])
@pytest.mark.parametrize("approaching", [True, False], ids=["approaching", "departing"])
@pytest.mark.parametrize("kind", [Kind.CAR, Kind.VAN, Kind.TRUCK, Kind.BUS])
def test_a_pair_of_lamps_tells_where_a_vehicle_stands(kind: Kind, light: Light, *, approaching: bool) -> None:
    for y_m in (12.0, 20.0, 30.0):
        found, view = seen(light, standing(kind, y_m, approaching=approaching))
        (lamps,) = [one for one in found if not one.is_single]
        x, y = view.ground(lamps.contact)[0]
        assert x == pytest.approx(-1.75 if approaching else 1.75, abs=0.15)
        assert y == pytest.approx(y_m, abs=0.04 * y_m)
        width_m = (lamps.front[1] - lamps.front[0]) / view.pixels_by_metre(lamps.contact)
        assert width_m == pytest.approx(kind.size.width_m, abs=0.25)


@pytest.mark.parametrize("light", [NIGHT, RAIN], ids=["night", "rain"])
def test_a_motorcycle_has_a_single_lamp(light: Light) -> None:
    found, view = seen(light, standing(Kind.TWO_WHEELER, 18.0, approaching=True))
    (lamps,) = found
    assert lamps.is_single
    assert view.ground(lamps.contact)[0] == pytest.approx([-1.75, 18.0], abs=0.9)


def test_the_nearest_of_a_queue_comes_first_and_none_is_missed() -> None:
    queue = [standing(Kind.CAR, y_m, approaching=True, number=int(y_m)) for y_m in (26.0, 14.0, 20.0)]
    found, view = seen(NIGHT, *queue)
    pairs = [one for one in found if not one.is_single]
    assert [round(y) for _, y in places(pairs, view)] == [14, 20, 26]


def test_what_a_wet_road_mirrors_of_two_abreast_is_no_third() -> None:
    beside = replace(standing(Kind.CAR, 14.0, approaching=False, number=2), path=Path(Place(5.0, 16.2, AWAY_RAD)))
    found, view = seen(RAIN, standing(Kind.CAR, 14.0, approaching=False), beside)
    assert sorted(x for x, _ in places(found, view)) == pytest.approx([1.75, 5.0], abs=0.2)
    assert not any(one.is_single for one in found)


@pytest.mark.parametrize(("light", "shows"), [(NIGHT, True), (RAIN, True), (DAY, False)], ids=["night", "rain", "day"])
def test_lamps_are_looked_for_where_they_stand_out(light: Light, *, shows: bool) -> None:
    foreground = Foreground(320, 180)
    for index in range(2):
        foreground.mask(Scene(TWO_WAY, (), MAST, light=light).render(index / 15), index * 66_667)
    assert foreground.shows_lamps is shows


def test_lamps_of_a_vehicle_too_dark_to_be_seen_make_up_a_part_of_the_mask() -> None:
    foreground = Foreground(320, 180)
    for index in range(2):
        foreground.mask(Scene(TWO_WAY, (), MAST, light=NIGHT).render(index / 15), index * 66_667)
    found, view = seen(NIGHT, standing(Kind.TRUCK, 18.0, approaching=True))
    pairs = [one for one in found if not one.is_single]
    end = pairs[0].end(view)
    assert foreground.marked([end])[end.window(180, 320)].all()


def test_glitter_is_not_searched_for_pairs_without_end() -> None:
    scene = Scene(TWO_WAY, (standing(Kind.CAR, 18.0, approaching=True),), MAST, light=NIGHT)
    picture = scene.render(0.0)
    random = np.random.default_rng(1)
    picture[random.integers(0, 360, 2_000), random.integers(0, 640, 2_000)] = 255
    view = View(calibration_of(scene))
    found = lamps_in(picture, view)
    assert len(found) <= 30
    assert any(not one.is_single and np.allclose(view.ground(one.contact)[0], (-1.75, 18.0), atol=0.8) for one in found)


def test_lamps_outside_the_picture_are_at_its_edge() -> None:
    below = Lamps(np.array([50.0, 190.0]), (40.0, 60.0), 181.0)
    labels = np.zeros((180, 320), np.int32)
    labels[179, 50] = 7
    assert label_at(below, labels) == 7


def test_a_part_right_before_lamps_is_their_light_on_the_road() -> None:
    found, view = seen(RAIN, standing(Kind.CAR, 18.0, approaching=True))
    (lamps,) = found
    column, row = lamps.contact
    mirrored = Extent(column - 12, row + 4, column - 8, row + 14)
    assert lamps.light_up(mirrored, view)
    assert not lamps.light_up(mirrored.moved(0, -40), view)
