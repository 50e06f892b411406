"""A road with known truth, as a camera sees it at any time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, cmp_to_key
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from devices.sim.camera.background import background_of
from devices.sim.camera.body import body_of
from devices.sim.camera.drawing import draw_body, draw_pole
from devices.sim.camera.lamps import draw_beam, draw_signal_lamps, draw_vehicle_lamps
from devices.sim.camera.layout import Pole
from devices.sim.camera.light import DAY, FULL, Light, street_light
from devices.sim.camera.outline import NEAREST_M
from devices.sim.camera.sensor import expose
from devices.sim.camera.shadow import draw_shadow
from devices.sim.camera.survey import EXACT, SurveyError, calibration_text

if TYPE_CHECKING:
    from devices.sim.camera.layout import Layout, SimLane
    from devices.sim.camera.pose import Image, Pose
    from devices.sim.camera.road_user import RoadUser, State
    from devices.sim.camera.signal_plan import SignalPlan

_SEEN_TO_M = 160.0
_PATH_SEEN_M = (-60.0, 200.0)
"""What of a road user's path can be in sight; paths begin where it comes into sight."""
_STEP_S = 0.05
_BISECTIONS = 20
"""To 50 ns."""


class Knock(NamedTuple):
    """From `t_s` on the camera looks as `pose` says."""

    t_s: float
    pose: Pose


class LineCrossing(NamedTuple):
    """When a vehicle's front and rear (seconds) passed over a line of its lane; None for an end that never did.

    `line`: `count_line`, `stop_line` or `second_line`.
    """

    number: int
    lane: str
    line: str
    front_s: float | None
    rear_s: float | None


@dataclass(frozen=True)
class Scene:
    """Everything that a camera could see, for `duration_s` from 0; the same for the same values.

    `bystanders`: pedestrians, and vehicles in none of the lanes. `exposure_jumps`: (seconds, gain): brightness jumps by
    that factor and settles again, as an automatic exposure does.
    """

    layout: Layout
    vehicles: tuple[RoadUser, ...]
    pose: Pose
    duration_s: float = 30.0
    seed: int = 1
    light: Light = DAY
    signal: SignalPlan | None = None
    bystanders: tuple[RoadUser, ...] = ()
    exposure_jumps: tuple[tuple[float, float], ...] = ()
    knock: Knock | None = None

    def pose_at(self, t_s: float) -> Pose:
        """How the camera hangs at a time."""
        return self.knock.pose if self.knock is not None and t_s >= self.knock.t_s else self.pose

    def render(self, t_s: float) -> Image:
        """The frame (height, width, 3) taken at `t_s`; any time, in any order."""
        pose, light = self.pose_at(t_s), self.light
        frame = background_of(self.layout, pose, light, self.seed).copy()
        present = self._present(pose, t_s)
        for user, state in present:
            draw_shadow(frame, pose, light, user, state)
            if light.beam:
                road = background_of(self.layout, pose, FULL, self.seed)
                draw_beam(frame, road, pose, light, body_of(user), state)
        poles = self._poles()
        for user, state in sorted(present, key=cmp_to_key(_farther_first)):
            while poles and poles[0].y_m > state.centre.y_m:
                draw_pole(frame, pose, light, poles.pop(0))
            lit = street_light(light, state.centre.x_m - self.layout.street_lamps_x_m, state.centre.y_m)
            draw_body(frame, pose, light, body_of(user), state, lit)
            draw_vehicle_lamps(frame, pose, light, body_of(user), state)
        for pole in poles:
            draw_pole(frame, pose, light, pole)
        if self.layout.signal_head is not None and self.signal is not None:
            draw_signal_lamps(frame, pose, light, self.layout.signal_head, self.signal.at(t_s))
        return expose(frame, light, self.exposure_jumps, t_s, self.seed)

    def _poles(self) -> list[Pole]:
        """All poles, the signal's among them, farthest first."""
        head = self.layout.signal_head
        own = [Pole(head.x_m, head.y_m, head.height_m + 0.3, 0.15)] if head is not None else []
        return sorted((*self.layout.poles, *own), key=lambda pole: -pole.y_m)

    def contact_m(self, number: int, t_s: float) -> tuple[float, float]:
        """Where on the road the end of a vehicle is that looks at the camera. Raises KeyError for no such vehicle."""
        state = self._by_number[number].at(t_s)
        return min(state.front_m, state.rear_m, key=lambda end: end[1])

    def is_in_view(self, number: int, t_s: float) -> bool:
        """Whether that place is in the frame (something else may hide it)."""
        x, y = self.contact_m(number, t_s)
        pose, place = self.pose_at(t_s), np.array([[x, y, 0.0]])
        if not NEAREST_M < pose.depths(place)[0] < _SEEN_TO_M:
            return False
        u, v = pose.project(place)[0]
        return bool(0 <= u < pose.width_px and 0 <= v < pose.height_px)

    @cached_property
    def _by_number(self) -> dict[int, RoadUser]:
        return {user.number: user for user in self.vehicles}

    def calibration_toml(self, error: SurveyError = EXACT, seed: int = 1) -> str:
        """The calibration file of `pose`, with a surveyor's mistakes."""
        return calibration_text(self.layout, self.pose, error, seed)

    def crossings(self) -> tuple[LineCrossing, ...]:
        """The truth about every line of every lane that has vehicles, in order of vehicle and line."""
        return self._crossings

    @cached_property
    def _crossings(self) -> tuple[LineCrossing, ...]:
        lines = {
            "count_line": self.layout.count_line_m,
            "stop_line": self.layout.stop_line_m,
            "second_line": self.layout.second_line_m,
        }
        return tuple(
            found
            for user in self.vehicles
            if user.lane
            for name, at_m in lines.items()
            if at_m is not None and (found := self._crossing(user, name, at_m)) is not None
        )

    def _crossing(self, user: RoadUser, name: str, at_m: float) -> LineCrossing | None:
        lane = self.layout.lane(user.lane)
        ends = [self._passing_s(user, end, at_m, lane) for end in ("front_m", "rear_m")]
        return None if ends == [None, None] else LineCrossing(user.number, user.lane, name, ends[0], ends[1])

    def _passing_s(self, user: RoadUser, end: str, at_m: float, lane: SimLane) -> float | None:
        """When an end of it is at `at_m` along the road within its lane; None for never."""
        sign = -1 if lane.approaching else 1

        def beyond_m(t_s: float) -> float:
            return sign * (float(getattr(user.at(t_s), end)[1]) - at_m)

        since_s, until_s = self._presences[user.number]
        times = np.arange(max(since_s, 0.0), min(until_s, self.duration_s) + _STEP_S, _STEP_S)
        beyond = np.array([beyond_m(float(t_s)) for t_s in times])
        passed = np.flatnonzero((beyond[:-1] < 0) & (beyond[1:] >= 0))
        if not passed.size:
            return None
        low_s, high_s = float(times[passed[0]]), float(times[passed[0] + 1])
        for _ in range(_BISECTIONS):
            middle_s = (low_s + high_s) / 2
            low_s, high_s = (middle_s, high_s) if beyond_m(middle_s) < 0 else (low_s, middle_s)
        x = float(getattr(user.at(high_s), end)[0])
        return high_s if lane.left_m <= x <= lane.right_m and high_s <= self.duration_s else None

    @cached_property
    def _presences(self) -> dict[int, tuple[float, float]]:
        """From when to when (seconds) each road user is anywhere near the camera."""
        users = (*self.vehicles, *self.bystanders)
        return {user.number: tuple(user.motion.time_at(end) for end in _PATH_SEEN_M) for user in users}  # type: ignore[misc] # a pair, of two ends

    def _present(self, pose: Pose, t_s: float) -> list[tuple[RoadUser, State]]:
        """Who is ahead of the camera, and not too far to be seen."""
        near = [user for user in (*self.vehicles, *self.bystanders) if _is_within(t_s, self._presences[user.number])]
        states = [(user, user.at(t_s)) for user in near]
        return [(user, state) for user, state in states if _is_ahead(pose, state)]


def _is_within(t_s: float, span_s: tuple[float, float]) -> bool:
    return span_s[0] <= t_s <= span_s[1]


def _is_ahead(pose: Pose, state: State) -> bool:
    ends = np.array([[*state.front_m, 0.0], [*state.rear_m, 0.0]])
    depths = pose.depths(ends)
    return bool(depths.max() > NEAREST_M and depths.min() < _SEEN_TO_M)


def _farther_first(one: tuple[RoadUser, State], other: tuple[RoadUser, State]) -> int:
    """Painter's order: by distance along the road where one is wholly behind the other, else by distance across it."""
    ones, others = sorted((one[1].front_m[1], one[1].rear_m[1])), sorted((other[1].front_m[1], other[1].rear_m[1]))
    if ones[0] >= others[1]:
        return -1
    if others[0] >= ones[1]:
        return 1
    return -1 if abs(one[1].centre.x_m) > abs(other[1].centre.x_m) else 1
