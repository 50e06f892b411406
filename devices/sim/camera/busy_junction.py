"""A signalled junction for places that run for long: the scene ends as it begins, with an empty road."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from devices.sim.camera.junction import FROM_BEHIND, JUNCTION_POSE
from devices.sim.camera.motion import Motion
from devices.sim.camera.road_user import Kind
from devices.sim.camera.scene import Scene
from devices.sim.camera.signal_plan import LampState, SignalPlan
from devices.sim.camera.traffic import vehicle

if TYPE_CHECKING:
    from devices.sim.camera.layout import SimLane
    from devices.sim.camera.road_user import RoadUser

ROAD = replace(FROM_BEHIND, speed_zone_m=(12.0, 36.0))
GREEN_S, YELLOW_S, RED_S = 17.0, 3.0, 10.0
"""The signal, from the scene's beginning on; one of fixed times shows the same in every cycle."""
CYCLE_S = GREEN_S + YELLOW_S + RED_S
CYCLES = 2


def busy_junction(seed: int) -> Scene:
    """Sixteen vehicles in two cycles of the signal, in three lanes; who speeds is alone where that is seen.

    Their `behaviour` is `speeding` (68 to 85 km/h: four towards the camera, two away), `runs_red` (two in each red, 3 s
    and 5.5 s after it began) or `keeps_limit` (40 to 47 km/h).
    """
    random = np.random.default_rng(seed)
    towards, inner, outer = ROAD.lanes
    users = []
    for green_s in (cycle * CYCLE_S for cycle in range(CYCLES)):
        red_s = green_s + GREEN_S + YELLOW_S
        users += [
            _passing(random, outer, green_s + 3.0, "speeding"),
            _passing(random, inner, green_s + 4.8, "keeps_limit"),
            _passing(random, outer, green_s + 8.5, "keeps_limit"),
            _passing(random, towards, green_s + 9.0, "keeps_limit"),
            _passing(random, towards, green_s + 14.5, "speeding"),
            _passing(random, towards, green_s + 19.0, "speeding"),
            _passing(random, outer, red_s + 3.0, "runs_red"),
            _passing(random, inner, red_s + 5.5, "runs_red"),
        ]
    numbered = tuple(replace(user, number=number) for number, user in enumerate(users, 1))
    return Scene(ROAD, numbered, JUNCTION_POSE, CYCLES * CYCLE_S, seed, signal=_plan())


def _plan() -> SignalPlan:
    states = ((0.0, LampState.GREEN), (GREEN_S, LampState.YELLOW), (GREEN_S + YELLOW_S, LampState.RED))
    return SignalPlan(tuple((cycle * CYCLE_S + at, state) for cycle in range(CYCLES) for at, state in states))


def _passing(random: np.random.Generator, lane: SimLane, at_line_s: float, behaviour: str) -> RoadUser:
    """A car whose front is at the stop line at that time."""
    speed = float(random.uniform(68, 85) if behaviour == "speeding" else random.uniform(40, 47)) / 3.6
    made = vehicle(random, 0, lane, Motion(speed, at_line_s, _at_line_m(lane)), Kind.CAR)
    return replace(made, behaviour=behaviour)


def _at_line_m(lane: SimLane) -> float:
    """How far along its path a car's middle is when its front is at the stop line, as far up the road in each lane."""
    assert ROAD.stop_line_m is not None
    start = vehicle(np.random.default_rng(0), 0, lane, Motion(0.0), Kind.CAR).path.start
    return abs(ROAD.stop_line_m - start.y_m) - Kind.CAR.size.length_m / 2
