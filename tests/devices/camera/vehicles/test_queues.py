"""Dense traffic: who hides another, stands, goes on and leaves is counted once, and so is the one behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices.sim.camera.light import DAY, OVERCAST
from devices.sim.camera.motion import Motion, Phase
from devices.sim.camera.road_user import Kind
from devices.sim.camera.scene import Scene
from devices.sim.camera.traffic import MAST, TWO_WAY, vehicle
from tests.support.counted_scenes import HIDDEN_MAX_S, counted, crossings_of

if TYPE_CHECKING:
    from devices.sim.camera.light import Light

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
