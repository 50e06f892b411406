"""A vehicle's track on the road: what vehicles are followed by, and speed and red light are judged on."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from devices.camera.frame import ClockClass


class VehicleClass(enum.StrEnum):
    """By size on the ground."""

    TWO_WHEELED = "two_wheeled"
    LIGHT = "light"
    HEAVY = "heavy"
    UNKNOWN = "unknown"


class Direction(enum.StrEnum):
    """Seen from the camera."""

    APPROACHING = "approaching"
    DEPARTING = "departing"


class Box(NamedTuple):
    """Pixels of the frame, edges: left and top are inside, right and bottom are not."""

    left: int
    top: int
    right: int
    bottom: int


class TrackPoint(NamedTuple):
    """Where a vehicle was in one frame.

    `u_px`, `v_px`: its contact point, where it stands on the road, in pixels of the frame; `x_m`, `y_m`: the same
    on the road. `is_whole` is false where the box is cut by the frame's edge or merged with another's: its contact
    point may be wrong by metres.
    """

    presentation_us: int
    utc_us: int
    utc_error_us: int
    x_m: float
    y_m: float
    u_px: float
    v_px: float
    box: Box
    is_whole: bool


@dataclass(slots=True)
class Track:
    """One vehicle in one epoch; `points` in order of time. `number` is unique in a run of the camera."""

    number: int
    epoch: int
    clock: ClockClass
    points: list[TrackPoint] = field(default_factory=list)
    vehicle: VehicleClass = VehicleClass.UNKNOWN
