"""A junction in true time, from which everything that the judge is told follows, late and wrong within bounds.

Shares nothing with the judge but the types of what it is told: a second opinion on who ran a red light.
"""

from __future__ import annotations

import bisect
import heapq
import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.camera.track import Direction, Track, VehicleClass
from devices.camera.vehicles.seen import Crossing, LaneLine
from devices.driver import CommittedEvent
from tests.devices.camera.red_light.junction import JOURNAL, STOP_M, UTC_US, frame, point

if TYPE_CHECKING:
    from devices.camera.frame import Frame

GRACE_S, DELAY_S = 0.5, 1.0
UTC_ERROR_S = 0.1
RESOLUTION_S = 0.1
TICK_S = 1.0
COMMIT_MAX_S = 4.0
LENGTH_MAX_M, ONWARD_M = 12.0, 5.0


Came = tuple[float, str, dict[str, Any]]
"""When it came in (true seconds), type and data."""


class Vehicle(NamedTuple):
    """When its front and its rear passed both lines, in true seconds. Only one end is seen."""

    number: int
    front_s: tuple[float, float]
    rear_s: tuple[float, float]
    speed_m_s: float
    direction: Direction

    @property
    def seen_s(self) -> tuple[float, float]:
        return self.front_s if self.direction is Direction.APPROACHING else self.rear_s


@dataclass
class Clock:
    """A gateway's UTC: runs up to 8 % wrong while it is slewed, and is set at `steps` (true second, by how much)."""

    steps: list[tuple[float, float]]
    rates: list[tuple[float, float]]

    def __call__(self, true_s: float) -> float:
        gone, (since, rate) = 0.0, self.rates[0]
        for begin, new in self.rates[1:]:
            if begin >= true_s:
                break
            gone, since, rate = gone + (begin - since) * rate, begin, new
        told = gone + (true_s - since) * rate
        return 100.0 + told + sum(by for at, by in self.steps if at <= true_s)


@dataclass
class TrueJunction:
    """`changes`: (true second, state) of the light. `events` and `vehicles` are what comes of it."""

    seed: int
    disturbed: bool
    end_s: float = 0.0
    changes: list[tuple[float, str]] = field(default_factory=list)
    vehicles: list[Vehicle] = field(default_factory=list)
    troubles: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        time = 0.0
        for _ in range(4):
            for state, shortest, longest in (("green", 4, 9), ("yellow", 3, 4), ("red", 4, 14)):
                self.changes.append((time, state))
                time += self.chance.uniform(shortest, longest)
        self.changes.append((time, "green"))
        self.end_s = time + 8.0
        self.clock = self._make_clock()
        self.error_s = self.chance.uniform(-UTC_ERROR_S, UTC_ERROR_S)
        self.vehicles = [self._vehicle(number) for number in range(40)]
        self.outages = self._outages()

    def _make_clock(self) -> Clock:
        chance, steps = self.chance, []
        if self.disturbed:
            steps = sorted(
                (chance.uniform(0, self.end_s), chance.choice((-1, 1)) * chance.uniform(0.1, 20)) for _ in range(2)
            )
            self.troubles += [(at - 1, at + 3) for at, _ in steps]
        rates = [(0.0, 1.0), *sorted((chance.uniform(0, self.end_s), chance.uniform(0.92, 1.08)) for _ in range(3))]
        return Clock(steps, rates)

    def _vehicle(self, number: int) -> Vehicle:
        chance = self.chance
        front = chance.uniform(4, self.end_s - 8)
        speed, length = chance.uniform(2, 25), chance.uniform(3, LENGTH_MAX_M)
        second = front + chance.uniform(0.2, 4)
        later = length / speed
        direction = chance.choice(tuple(Direction))
        return Vehicle(number, (front, second), (front + later, second + later), speed, direction)

    def _outages(self) -> list[tuple[float, float, str]]:
        """From when to when nothing is heard of the light, and how that came."""
        if not self.disturbed:
            return []
        begin = self.chance.uniform(0, self.end_s)
        self.troubles.append((begin, self.end_s))
        kind = self.chance.choice(("a wire that holds", "a wire that flaps", "a link that begins anew"))
        times = [begin + self.chance.uniform(1, 20), begin + self.chance.uniform(30, 40)]
        if kind != "a wire that flaps":
            return [(begin, times[0], kind)]
        return [(begin, times[0], kind), (times[1], times[1] + 10, kind)]

    def state(self, true_s: float) -> str:
        """What the light truly shows."""
        return self.changes[bisect.bisect_right(self.changes, (true_s, "~")) - 1][1]

    def has_run(self, one: Vehicle) -> bool:
        """Whether a vehicle truly passed both lines on red, its front over the stop line after the grace time."""
        for (begin, state), (end, _) in pairwise(self.changes):
            if state == "red" and begin + GRACE_S < one.front_s[0] and max(one.seen_s[1], one.front_s[1]) < end:
                return True
        return False

    def is_surely_decidable(self, one: Vehicle) -> bool:
        """Whether it has run, and by so much that no error within the bounds can hide it."""
        ahead = (
            0.0
            if one.direction is Direction.APPROACHING
            else (LENGTH_MAX_M - (one.rear_s[0] - one.front_s[0]) * one.speed_m_s)
        )
        onward = 1.1 * ONWARD_M / one.speed_m_s + 0.1
        margin = 2 * UTC_ERROR_S + RESOLUTION_S + DELAY_S
        for (begin, state), (end, _) in pairwise(self.changes):
            late = 1.1 * (GRACE_S + margin) + ahead / one.speed_m_s + 0.1
            in_time = begin + late < one.front_s[0] and one.seen_s[1] + onward < end - 1.1 * (margin + DELAY_S) - 0.1
            in_peace = all(end + 3 + COMMIT_MAX_S < since or begin - 1 > until for since, until in self.troubles)
            if state == "red" and in_time and in_peace:
                return True
        return False

    def events(self) -> list[tuple[float, CommittedEvent]]:
        """(when it is told, event) in order of sequence: late by whatever the bounds and the disk allow."""
        came = [(-0.5, "device.health", {"state": "online"}), *self._heard(), *self._about_the_outage()]
        came += [(at + self.chance.uniform(0, TICK_S), "gateway.clock", {"step_us": 1}) for at, _ in self.clock.steps]
        told_s, told = -10.0, []
        for sequence, (came_s, kind, data) in enumerate(sorted(came, key=lambda one: one[0]), start=1):
            # A commit may take long, but none is told before the one before it.
            told_s = max(told_s, came_s + self.chance.choice((0.02, 0.05, 0.1, COMMIT_MAX_S * self.chance.random())))
            stamp_us = UTC_US + round(self.clock(came_s) * 1e6)
            told.append((told_s, CommittedEvent("signal-1", kind, data, JOURNAL, sequence, stamp_us, 5_000)))
        return told

    def _heard(self) -> list[Came]:
        """The changes of the light, but those of an outage."""
        came: list[Came] = []
        cause = "opening"
        for at, state in self.changes:
            # As late as may be, or at once.
            late_s = self.chance.choice((0.0, self.chance.uniform(0, RESOLUTION_S) + self.chance.uniform(0, DELAY_S)))
            if not any(begin <= at + late_s <= end for begin, end, _ in self.outages):
                came.append((at + late_s, "signal.phase", self._phase(state, cause)))
                cause = "change"
        return came

    def _about_the_outage(self) -> list[Came]:
        came: list[Came] = []
        for begin, end, kind in self.outages:
            opening = (end, "signal.phase", self._phase(self.state(end), "opening"))
            if kind == "a link that begins anew":
                came.append(opening)
                continue
            came.append((min(begin + self.chance.uniform(0.1, 5), end), "device.health", {"state": "offline"}))
            if kind == "a wire that holds":
                came.append((end, "device.health", {"state": "online"}))
                # A state that is as it was when last recorded is not recorded again.
                came += [opening] if self.chance.random() < 0.5 else []
            # A wire that flaps is told as lost once; what it says between is recorded.
        return came

    def _phase(self, state: str, cause: str) -> dict[str, Any]:
        return {
            "controller": "signal-1",
            "group": 2,
            "kind": "vehicle",
            "state": state,
            "start_time": None,
            "source": "poll",
            "resolution_ms": 100,
            "cause": cause,
        }

    def crossings(self) -> list[tuple[float, Crossing]]:
        """(when it is told, crossing), in that order."""
        told = []
        for one in self.vehicles:
            track = self._track(one)
            for seconds, line in zip(one.seen_s, (LaneLine.STOP, LaneLine.SECOND), strict=True):
                crossing = Crossing(track, "1", line, one.direction, round(seconds * 1e6), *self._utc(seconds))
                told.append((seconds + self.chance.uniform(0.1, 0.6), crossing))
        return sorted(told, key=lambda each: each[0])

    def _track(self, one: Vehicle) -> Track:
        stop, second = one.seen_s
        first = stop - 14.0 / one.speed_m_s - 0.3
        times = [first + 0.1 * index for index in range(round((second + 0.5 + ONWARD_M / one.speed_m_s - first) / 0.1))]
        points = [point(time, STOP_M + one.speed_m_s * (time - stop)) for time in times]
        return Track(one.number, 1, frame(0).clock, points, VehicleClass.LIGHT)

    def _utc(self, true_s: float) -> tuple[int, int]:
        """UTC of a picture, off by what nobody knows, and the bound that is told of that."""
        return UTC_US + round((self.clock(true_s) + self.error_s) * 1e6), round(UTC_ERROR_S * 1e6)

    def frames(self) -> list[tuple[float, Frame]]:
        """(when it is there, frame), five a second."""
        found = []
        for index in range(-20, round(self.end_s * 5)):
            seconds = index / 5
            utc_us, error_us = self._utc(seconds)
            made = frame(0)._replace(presentation_us=round(seconds * 1e6), utc_us=utc_us, utc_error_us=error_us)
            found.append((seconds + 0.15, made))
        return found

    def as_told(self) -> list[tuple[float, CommittedEvent | Crossing | Frame]]:
        """Everything, in the order in which the judge is told."""
        return list(heapq.merge(self.events(), self.crossings(), self.frames(), key=lambda each: each[0]))
