"""Dense traffic: who hides another, stands, goes on and leaves is counted once, and so is the one behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices.sim.camera.light import DAY, OVERCAST, RAIN
from devices.sim.camera.motion import Motion, Phase
from devices.sim.camera.road_user import Kind
from devices.sim.camera.scene import Scene
from devices.sim.camera.traffic import MAST, TWO_WAY, queue, vehicle
from tests.support.counted_scenes import HIDDEN_MAX_S, counted, crossings_of

if TYPE_CHECKING:
    from devices.sim.camera.light import Light
    from devices.sim.camera.road_user import RoadUser

GAP_M = 3.0
AT_M = 75.0
"""Along its lane: 35 m from the camera."""


def column(light: Light = DAY, phases: tuple[Phase, ...] = ()) -> Scene:
    """Four cars come towards the camera one behind the other, at 4 m/s but for what `phases` say."""
    chance, lane = np.random.default_rng(1), TWO_WAY.lanes[0]
    apart_m = Kind.CAR.size.length_m + GAP_M
    motions = [Motion(4.0, 1.0, AT_M - number * apart_m, phases) for number in range(4)]
    vehicles = [vehicle(chance, number, lane, motion, Kind.CAR) for number, motion in enumerate(motions, 1)]
    passed_s = vehicles[-1].motion.time_at(AT_M + 35.0)
    return Scene(TWO_WAY, tuple(vehicles), MAST, passed_s, 1, light)


@pytest.mark.parametrize("light", [DAY, OVERCAST], ids=["sun", "overcast"])
def test_cars_three_metres_apart_are_counted_one_by_one(light: Light) -> None:
    scene = column(light)
    found = counted(scene, crossings_of(scene))
    assert (found.true, found.missed, found.false) == (4, 0, 0)


def test_who_stands_on_both_sides_of_the_line_and_goes_on_is_counted_once() -> None:
    stands = (Phase(4.0, 0.0), Phase(2.0, -2.0), Phase(8.0, 0.0), Phase(2.0, 2.0))
    scene = column(phases=stands)
    found = counted(scene, crossings_of(scene), HIDDEN_MAX_S)
    assert (found.true, found.missed, found.false) == (4, 0, 0)


def standing_below_the_frame(kinds: list[Kind]) -> Scene:
    """From below the camera they come into view 1.5 m apart, stand there, and move off one after the other."""
    chance, layout = np.random.default_rng(2), replace(TWO_WAY, count_line_m=16.0)
    creep = (Phase(4.0, 0.9), Phase(4.0, 0.0), Phase(3.0, -1.2), Phase(4.0, 0.0))
    motion = Motion(0.0, 1.0, 0.0, creep * 8)
    vehicles: list[RoadUser] = []
    for number, kind in enumerate(kinds, 1):
        half_m = kind.size.length_m / 2
        motion = motion.followed(1.1, vehicles[-1].kind.size.length_m / 2 + 1.5 + half_m) if vehicles else motion
        vehicles.append(vehicle(chance, number, layout.lanes[1], motion, kind))
    return Scene(layout, tuple(vehicles), MAST, motion.time_at(60.0), 2)


@pytest.mark.parametrize("kinds", [[Kind.CAR, Kind.TRUCK], [Kind.TRUCK]], ids=["car before a lorry", "lorry alone"])
def test_who_is_seen_apart_from_a_lorry_only_by_moving_off_before_it_is_counted(kinds: list[Kind]) -> None:
    scene = standing_below_the_frame(kinds)
    found = counted(scene, crossings_of(scene), HIDDEN_MAX_S)
    assert (found.true, found.missed, found.false) == (len(kinds), 0, 0)


def test_whose_lower_edge_lamps_on_a_wet_road_move_is_counted_once() -> None:
    scene = queue(5, 110, layout=replace(TWO_WAY, count_line_m=16.0), pose=MAST, light=RAIN)
    scene = replace(scene, duration_s=27.0)
    found = counted(scene, crossings_of(scene), HIDDEN_MAX_S)
    assert (found.true, found.missed, found.false) == (2, 0, 0)
