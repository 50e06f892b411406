"""The road that is rendered: lanes, lines across them, signal head and poles, in metres on the ground."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SimLane:
    """A lane along y; `approaching`: its traffic comes towards the camera; `is_signalled`: it has the stop line."""

    id: str
    centre_x_m: float
    approaching: bool
    width_m: float = 3.5
    is_signalled: bool = True

    @property
    def left_m(self) -> float:
        """Its smaller x."""
        return self.centre_x_m - self.width_m / 2

    @property
    def right_m(self) -> float:
        """Its greater x."""
        return self.centre_x_m + self.width_m / 2


@dataclass(frozen=True)
class Pole:
    """Upright, grey, on the ground; it hides what passes behind it."""

    x_m: float
    y_m: float
    height_m: float = 8.0
    diameter_m: float = 0.25


@dataclass(frozen=True)
class SignalHead:
    """Three lamps on a pole, facing the camera; the red one at `height_m`."""

    x_m: float
    y_m: float
    height_m: float = 4.6
    lamp_diameter_m: float = 0.3


@dataclass(frozen=True)
class Layout:
    """Distances along y where lines cross all lanes, and what stands beside the road.

    `crossing_road`: (nearest, farthest) y of a road across, if it is a junction. The speed zone is
    (nearest, farthest) y.
    """

    lanes: tuple[SimLane, ...]
    count_line_m: float = 20.0
    speed_zone_m: tuple[float, float] = (15.0, 45.0)
    stop_line_m: float | None = None
    second_line_m: float | None = None
    crossing_road: tuple[float, float] | None = None
    signal_head: SignalHead | None = None
    poles: tuple[Pole, ...] = ()

    @property
    def edges_m(self) -> tuple[float, float]:
        """The carriageway's smallest and greatest x."""
        return min(lane.left_m for lane in self.lanes), max(lane.right_m for lane in self.lanes)

    @property
    def street_lamps_x_m(self) -> float:
        """The x of the row of street lamps."""
        return self.edges_m[1] + 1.0

    def lane(self, lane_id: str) -> SimLane:
        """The lane of that id; raises StopIteration for another."""
        return next(lane for lane in self.lanes if lane.id == lane_id)
