from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from devices.sim.camera.busy_junction import CYCLE_S, GREEN_S, YELLOW_S, busy_junction
from devices.sim.camera.junction import red_light
from devices.sim.camera.passings import passings
from devices.sim.camera.signal_plan import LampState

if TYPE_CHECKING:
    from devices.sim.camera.scene import Scene

LIMIT_KM_H = 50.0


def count(scene: Scene, behaviour: str) -> int:
    return sum(one.behaviour == behaviour for one in scene.vehicles)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_junctions_vehicles_are_there_for_is_what_is_true_of_them(seed: int) -> None:
    scene = busy_junction(seed)
    found = passings(scene, LIMIT_KM_H)
    kinds = Counter(one.kind for one in found)
    assert kinds["vehicle.passage"] == len(scene.vehicles)
    assert kinds["vehicle.speeding"] == count(scene, "speeding") > 0
    assert kinds["vehicle.red_light"] == count(scene, "runs_red") > 0
    assert [one.t_s for one in found] == sorted(one.t_s for one in found)
    true_mm_s = sorted(round(1000 * one.motion.speed_m_s) for one in scene.vehicles if one.behaviour == "speeding")
    told_mm_s = sorted(one.data["speed_mm_s"] for one in found if one.kind == "vehicle.speeding")
    assert told_mm_s == pytest.approx(true_mm_s, abs=2)


def test_without_a_limit_nobody_speeds() -> None:
    assert {one.kind for one in passings(busy_junction(1), None)} == {"vehicle.passage", "vehicle.red_light"}


def test_of_all_that_drivers_do_at_a_signal_one_alone_is_running_it() -> None:
    scene = red_light(40, 5)
    found = [one for one in passings(scene, None) if one.kind == "vehicle.red_light"]
    assert len(found) == count(scene, "runs_red") > 5
    assert {one.behaviour for one in scene.vehicles} > {"late_yellow", "stops_over", "turns", "blocked"}


def test_in_green_nobody_runs_the_light_and_without_one_neither() -> None:
    scene = busy_junction(1)
    assert scene.signal is not None
    green = replace(scene.signal, changes=((0.0, LampState.GREEN),))
    for other in (replace(scene, signal=green), replace(scene, signal=None)):
        assert "vehicle.red_light" not in {one.kind for one in passings(other, None)}


def test_the_scene_ends_as_it_begins_with_the_signal_just_green_and_nobody_in_the_zone() -> None:
    scene = busy_junction(1)
    assert scene.signal is not None
    assert scene.duration_s % CYCLE_S == 0
    assert [at_s for at_s, _ in scene.signal.changes[:3]] == [0.0, GREEN_S, GREEN_S + YELLOW_S]
    near, far = scene.layout.speed_zone_m
    for t_s in (0.0, scene.duration_s):
        assert not [one for one in scene.vehicles if near <= scene.contact_m(one.number, t_s)[1] <= far]
