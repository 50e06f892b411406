"""How a road user moves: a path on the ground, and how far along it at each time."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import cos, inf, pi, radians, sin, sqrt
from typing import NamedTuple


class Place(NamedTuple):
    """A point of the ground in metres and a heading: 0 is along y (away from the camera), pi/2 along x."""

    x_m: float
    y_m: float
    heading_rad: float


@dataclass(frozen=True)
class Path:
    """Straight from `start`, then, `turn_after_m` on, an arc through `turn_deg` (right is positive), then straight."""

    start: Place
    turn_after_m: float = 0.0
    turn_radius_m: float = 8.0
    turn_deg: float = 0.0

    def at(self, distance_m: float) -> Place:
        """The place `distance_m` along it; before its start it is straight."""
        if self.turn_deg == 0 or distance_m <= self.turn_after_m:
            return _ahead(self.start, distance_m)
        side = 1 if self.turn_deg > 0 else -1
        arc_m = abs(radians(self.turn_deg)) * self.turn_radius_m
        turned_m = min(distance_m - self.turn_after_m, arc_m)
        entry = _ahead(self.start, self.turn_after_m)
        angle = turned_m / self.turn_radius_m
        middle_x = entry.x_m + side * self.turn_radius_m * cos(entry.heading_rad)
        middle_y = entry.y_m - side * self.turn_radius_m * sin(entry.heading_rad)
        heading = entry.heading_rad + side * angle
        on_arc = Place(
            middle_x - side * self.turn_radius_m * cos(heading),
            middle_y + side * self.turn_radius_m * sin(heading),
            heading,
        )
        return _ahead(on_arc, distance_m - self.turn_after_m - turned_m)


def _ahead(place: Place, distance_m: float) -> Place:
    return Place(
        place.x_m + distance_m * sin(place.heading_rad),
        place.y_m + distance_m * cos(place.heading_rad),
        place.heading_rad,
    )


AWAY_RAD = 0.0
TOWARDS_RAD = pi
_STANDING_M_S = 1e-9


class Phase(NamedTuple):
    """A stretch of time with one acceleration."""

    duration_s: float
    acceleration_m_s2: float


@dataclass(frozen=True)
class Motion:
    """Piecewise uniformly accelerated: `speed_m_s` until `start_s`, then the phases, then whatever speed is left.

    At `start_s` it is `origin_m` along its path.
    """

    speed_m_s: float
    start_s: float = 0.0
    origin_m: float = 0.0
    phases: tuple[Phase, ...] = ()

    @cached_property
    def _nodes(self) -> tuple[tuple[float, float, float, float], ...]:
        """Where each phase begins, and what is left after them: seconds, metres, metres a second, acceleration."""
        since, distance, speed = self.start_s, self.origin_m, self.speed_m_s
        nodes = []
        for phase in self.phases:
            nodes.append((since, distance, speed, phase.acceleration_m_s2))
            distance += speed * phase.duration_s + phase.acceleration_m_s2 * phase.duration_s**2 / 2
            speed += phase.acceleration_m_s2 * phase.duration_s
            since += phase.duration_s
        return (*nodes, (since, distance, speed, 0.0))

    def at(self, t_s: float) -> tuple[float, float, float]:
        """Metres along the path, metres a second, and metres a second squared, at a time."""
        if t_s <= self.start_s:
            return self.origin_m + self.speed_m_s * (t_s - self.start_s), self.speed_m_s, 0.0
        since, distance, speed, acceleration = self._nodes[bisect(self._nodes, t_s, key=_since) - 1]
        passed = t_s - since
        return distance + speed * passed + acceleration * passed**2 / 2, speed + acceleration * passed, acceleration

    def time_at(self, distance_m: float) -> float:
        """When it has come so far along its path (seconds), infinite if it never does."""
        if distance_m <= self.origin_m:
            is_moving = self.speed_m_s > _STANDING_M_S
            return self.start_s - (self.origin_m - distance_m) / self.speed_m_s if is_moving else -inf
        for (since, distance, speed, acceleration), after in pairwise(self._nodes):
            if after[1] >= distance_m:
                left = distance_m - distance
                return since + 2 * left / (speed + sqrt(max(speed**2 + 2 * acceleration * left, 0.0)))
        since, distance, speed, _ = self._nodes[-1]
        return since + (distance_m - distance) / speed if speed > _STANDING_M_S else inf

    def followed(self, delay_s: float, spacing_m: float) -> Motion:
        """Of who follows it, by Newell's car-following rule (2002): the same, `delay_s` later, `spacing_m` behind."""
        return replace(self, start_s=self.start_s + delay_s, origin_m=self.origin_m - spacing_m)


def _since(node: tuple[float, float, float, float]) -> float:
    return node[0]


def braking(speed_m_s: float, distance_m: float) -> Phase:
    """The phase that brings a speed to nought over a distance."""
    return Phase(2 * distance_m / speed_m_s, -(speed_m_s**2) / (2 * distance_m))
