"""Ready-made scenes of a signalled junction, of which it is known who ran the red light and who did not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, pi

import numpy as np

from devices.sim.camera.layout import Layout, Pole, SignalHead, SimLane
from devices.sim.camera.light import DAY, Light
from devices.sim.camera.motion import Motion, Path, Phase, Place, braking
from devices.sim.camera.pose import Pose
from devices.sim.camera.road_user import Kind, RoadUser
from devices.sim.camera.scene import Scene
from devices.sim.camera.signal_plan import cycles
from devices.sim.camera.traffic import COLOURS, vehicle

FROM_BEHIND = Layout(
    (
        SimLane("in", -1.75, approaching=True, is_signalled=False),
        SimLane("out-1", 1.75, approaching=False),
        SimLane("out-2", 5.25, approaching=False),
    ),
    count_line_m=16.0,
    speed_zone_m=(12.0, 26.0),
    stop_line_m=20.0,
    second_line_m=26.0,
    crossing_road=(29.0, 41.0),
    signal_head=SignalHead(8.6, 44.0),
    poles=(Pole(8.2, 17.0, 6.0, 0.2),),
)
"""The camera stands before the junction and sees rears: the end that it sees crosses a line last."""

FROM_AHEAD = Layout(
    (
        SimLane("in-2", -5.25, approaching=True),
        SimLane("in-1", -1.75, approaching=True),
        SimLane("out", 1.75, approaching=False, is_signalled=False),
    ),
    count_line_m=36.0,
    speed_zone_m=(27.0, 45.0),
    stop_line_m=33.0,
    second_line_m=27.0,
    crossing_road=(10.0, 24.0),
    signal_head=SignalHead(-8.4, 35.0),
)
"""The camera stands beyond the junction and sees fronts; the lamps are a repeater's, turned towards it."""

JUNCTION_POSE = Pose(width_px=640, height_px=360, height_m=7.0, tilt_deg=14.0, focal_px=600.0, x_m=2.0)
AHEAD_POSE = replace(JUNCTION_POSE, focal_px=760.0, x_m=-2.0, tilt_deg=12.0)

GREEN_S, YELLOW_S, RED_S = 10.0, 3.0, 12.0
_START_S = 2.0
_CYCLE_S = GREEN_S + YELLOW_S + RED_S
_TURN_M = 6.0
_CALM_BRAKING_M_S2 = 2.6

SHARES = {
    "runs_red": 0.32,
    "late_yellow": 0.16,
    "stops_over": 0.12,
    "turns": 0.10,
    "blocked": 0.08,
    "stops": 0.08,
    "green": 0.14,
}
"""What vehicles do (their `behaviour`), and how many of them.

`runs_red`: front over the stop line at least 1.2 s after red began, and on at that speed: the only violation.
`late_yellow`: front over it in the last 1.5 s of yellow, the rear often in red. `stops_over`: stands in red with its
front over the stop line, its rear before it, and leaves on green. `turns`: right, off the lane between the lines, in
red. `blocked`: front over the stop line in yellow, stands, creeps over the second line in red, its rear over both in
red. `stops` and `green`: as they should.
"""


def red_light(
    n: int, seed: int, *, layout: Layout = FROM_BEHIND, pose: Pose | None = None, light: Light = DAY
) -> Scene:
    """`n` vehicles at a signal, one in a lane and cycle, with cars across in some of the red."""
    random = np.random.default_rng(seed)
    inner, outer = sorted((lane for lane in layout.lanes if lane.is_signalled), key=lambda lane: abs(lane.centre_x_m))
    turning, going = _behaviours(random, n)
    count = max(ceil(n / 2), len(turning))
    at_outer = [str(one) for one in random.permutation([*turning, *going[: count - len(turning)]])]
    vehicles: list[RoadUser] = []
    bystanders: list[RoadUser] = []
    for cycle in range(count):
        green_s = _START_S + cycle * _CYCLE_S
        pair = [(outer, at_outer[cycle]), *((inner, one) for one in going[count - len(turning) :][cycle : cycle + 1])]
        for lane, behaviour in pair:
            approach = _Approach(random, layout, lane, green_s)
            vehicles.append(approach.vehicle(len(vehicles) + 1, behaviour))
        if not {"runs_red", "blocked", "turns"} & {behaviour for _, behaviour in pair}:
            bystanders.append(_across(random, layout, 5001 + cycle, green_s + GREEN_S + YELLOW_S + 3.0))
    pose = pose or (AHEAD_POSE if outer.approaching else JUNCTION_POSE)
    plan = cycles(count + 1, GREEN_S, YELLOW_S, RED_S, _START_S)
    duration_s = _START_S + count * _CYCLE_S + GREEN_S + YELLOW_S
    return Scene(layout, tuple(vehicles), pose, duration_s, seed, light, plan, tuple(bystanders))


def _behaviours(random: np.random.Generator, n: int) -> tuple[list[str], list[str]]:
    """Who turns, and what the others do, in random order: `n` in all, in their shares."""
    bounds = np.round(np.cumsum(list(SHARES.values())) * n).astype(int)
    counts = np.diff(bounds, prepend=0)
    every = [name for name, count in zip(SHARES, counts, strict=True) for _ in range(count)]
    going = [str(one) for one in random.permutation([one for one in every if one != "turns"])]
    return ["turns"] * (n - len(going)), going


def _across(random: np.random.Generator, layout: Layout, number: int, t_s: float) -> RoadUser:
    """A car on the other road, over the middle of ours at `t_s`."""
    assert layout.crossing_road is not None
    near, far = layout.crossing_road
    path = Path(Place(-40.0, near + (far - near) * 0.7, pi / 2))
    colour = COLOURS[int(random.integers(len(COLOURS)))]
    return RoadUser(number, Kind.CAR, path, Motion(10.0, t_s - 4.0), colour=colour)


@dataclass(frozen=True)
class _Approach:
    """One vehicle's way to the signal in the cycle whose green begins at `green_s`."""

    random: np.random.Generator
    layout: Layout
    lane: SimLane
    green_s: float

    def vehicle(self, number: int, behaviour: str) -> RoadUser:
        """A vehicle that behaves so."""
        kind = Kind.CAR if behaviour == "turns" else None
        made = vehicle(self.random, number, self.lane, Motion(0.0), kind)
        # Where its middle is along its path when its front is at the stop line.
        at_line_m = self._along_m(made) - made.kind.size.length_m / 2
        motion = {
            "runs_red": self._passes,
            "late_yellow": self._passes,
            "green": self._passes,
            "stops_over": self._stops,
            "stops": self._stops,
            "blocked": self._creeps,
            "turns": self._slows,
        }[behaviour](behaviour, at_line_m)
        path = made.path
        if behaviour == "turns":
            path = replace(path, turn_after_m=self._along_m(made), turn_radius_m=_TURN_M, turn_deg=90.0)
        return replace(made, motion=motion, path=path, behaviour=behaviour)

    def _along_m(self, user: RoadUser) -> float:
        """How far along its path the stop line is."""
        assert self.layout.stop_line_m is not None
        return abs(self.layout.stop_line_m - user.path.start.y_m)

    @property
    def _red_s(self) -> float:
        return self.green_s + GREEN_S + YELLOW_S

    def _uniform(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def _passes(self, behaviour: str, at_line_m: float) -> Motion:
        """At a constant speed, its front at the stop line when its behaviour has it."""
        at_s = {
            "runs_red": self._red_s + self._uniform(1.2, RED_S - 4.5),
            "late_yellow": self._red_s - self._uniform(0.1, 1.5),
            "green": self.green_s + self._uniform(6.0, GREEN_S - 2.6),
        }[behaviour]
        speed = self._uniform(8.0, 11.0) if behaviour == "green" else self._uniform(8.0, 18.0)
        return Motion(speed, at_s, at_line_m)

    def _stops(self, behaviour: str, at_line_m: float) -> Motion:
        """Stands until green, its front over the stop line or before it."""
        beyond_m = self._uniform(0.5, 1.8) if behaviour == "stops_over" else -self._uniform(0.8, 2.0)
        speed, standing_s = self._uniform(8.0, 14.0), self._red_s + self._uniform(0.5, 4.0)
        brake = braking(speed, speed**2 / 2 / _CALM_BRAKING_M_S2)
        wait_s = self._red_s + RED_S + self._uniform(0.5, 1.2) - standing_s
        origin_m = at_line_m + beyond_m - speed * brake.duration_s / 2
        return Motion(speed, standing_s - brake.duration_s, origin_m, (brake, Phase(wait_s, 0.0), Phase(6.5, 1.8)))

    def _creeps(self, _: str, at_line_m: float) -> Motion:
        """Enters in yellow, stands between the lines, and goes on slowly in red."""
        speed = self._uniform(8.0, 12.0)
        brake = braking(speed, speed**2 / 2 / _CALM_BRAKING_M_S2)
        origin_m = at_line_m + self._uniform(2.5, 4.5) - speed * brake.duration_s / 2
        wait = Phase(self._uniform(1.5, 3.0), 0.0)
        motion = Motion(speed, 0.0, origin_m, (brake, wait, Phase(2.5, 1.2), Phase(5.0, 1.4)))
        return replace(motion, start_s=self._red_s - self._uniform(0.3, 1.5) - motion.time_at(at_line_m))

    def _slows(self, _: str, at_line_m: float) -> Motion:
        """Slows down to a speed for turning, and crosses the stop line in red."""
        speed, turning = self._uniform(9.0, 12.0), 4.5
        brake = Phase((speed - turning) / _CALM_BRAKING_M_S2, -_CALM_BRAKING_M_S2)
        origin_m = at_line_m - (speed + turning) / 2 * brake.duration_s - 1.0
        motion = Motion(speed, 0.0, origin_m, (brake, Phase(6.0, 0.0), Phase(3.0, 1.5)))
        return replace(motion, start_s=self._red_s + self._uniform(1.5, 6.0) - motion.time_at(at_line_m))
