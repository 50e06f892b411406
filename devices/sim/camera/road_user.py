"""Who is on the road: vehicles and pedestrians, what they are, and where they are at each time."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from math import cos, sin
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from devices.sim.camera.motion import Motion, Path, Place
    from devices.sim.camera.pose import Floats


class Size(NamedTuple):
    """Metres."""

    length_m: float
    width_m: float
    height_m: float


class Kind(enum.StrEnum):
    """What a road user is."""

    CAR = "car"
    VAN = "van"
    TRUCK = "truck"
    BUS = "bus"
    TWO_WHEELER = "two_wheeler"
    PEDESTRIAN = "pedestrian"

    @property
    def size(self) -> Size:
        """Typical outer dimensions."""
        return _SIZES[self]


_SIZES = {
    Kind.CAR: Size(4.4, 1.8, 1.46),
    Kind.VAN: Size(5.4, 2.0, 2.3),
    Kind.TRUCK: Size(9.0, 2.5, 3.4),
    Kind.BUS: Size(12.0, 2.55, 3.1),
    Kind.TWO_WHEELER: Size(2.1, 0.75, 1.65),
    Kind.PEDESTRIAN: Size(0.3, 0.55, 1.75),
}


class State(NamedTuple):
    """Where a road user is: the middle of what it covers of the ground, and the middles of its front and rear ends."""

    centre: Place
    front_m: tuple[float, float]
    rear_m: tuple[float, float]
    speed_m_s: float
    acceleration_m_s2: float

    def to_ground(self, points_m: Floats) -> Floats:
        """Points (n, 3) of the body (to its right, ahead, up, from its middle) where they are in the scene."""
        heading = self.centre.heading_rad
        right, ahead = (cos(heading), -sin(heading)), (sin(heading), cos(heading))
        flat = points_m[:, :2] @ np.array([right, ahead]) + (self.centre.x_m, self.centre.y_m)
        return np.column_stack((flat, points_m[:, 2]))


@dataclass(frozen=True)
class RoadUser:
    """One vehicle or pedestrian; its middle follows `path` by `motion`.

    `lane`: the id of the lane that it begins in, empty for none. `colour`: blue, green, red. `country`: whose shape of
    plate (`eu`, `us`, `br`). `behaviour`: what its scene has it for, in words of the scene.
    """

    number: int
    kind: Kind
    path: Path
    motion: Motion
    lane: str = ""
    colour: tuple[int, int, int] = (150, 150, 150)
    plate: str = ""
    country: str = "eu"
    behaviour: str = ""

    @property
    def vehicle_class(self) -> str:
        """`two_wheeled`, `light` or `heavy`, as events name it."""
        if self.kind is Kind.TWO_WHEELER:
            return "two_wheeled"
        return "heavy" if self.kind in (Kind.TRUCK, Kind.BUS) else "light"

    def at(self, t_s: float) -> State:
        """Where it is at a time: the truth."""
        distance, speed, acceleration = self.motion.at(t_s)
        place = self.path.at(distance)
        ahead_x, ahead_y = sin(place.heading_rad), cos(place.heading_rad)
        half = self.kind.size.length_m / 2
        return State(
            place,
            (place.x_m + half * ahead_x, place.y_m + half * ahead_y),
            (place.x_m - half * ahead_x, place.y_m - half * ahead_y),
            speed,
            acceleration,
        )
