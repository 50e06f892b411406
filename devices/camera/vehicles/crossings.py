"""When a vehicle passes a lane's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from devices.camera.vehicles.seen import LaneLine

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.calibration.lanes import Lane
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]

_CLEAR_M = 0.5
"""A vehicle that stands on a line and trembles there has not passed it: it was clearly before and is clearly after."""
_UNSEEN_MAX_M = 15.0
"""So far beyond a line a vehicle may come out from behind another, which is a lorry or a bus at most."""
_BESIDE_M = 0.8
"""So far beyond a line's ends a vehicle still counts for it, if it is no nearer to another lane's."""


class Place(NamedTuple):
    """Where a vehicle was on the road, metres, and when."""

    presentation_us: int
    utc_us: int
    utc_error_us: int
    x_m: float
    y_m: float


class Passed(NamedTuple):
    """`lane`'s `line` was passed at these times; `is_unseen`: at the latest, behind another vehicle."""

    lane: str
    line: LaneLine
    presentation_us: int
    utc_us: int
    utc_error_us: int
    is_unseen: bool = False


class RoadLine:
    """A lane's line on the road."""

    def __init__(self, lane: str, line: LaneLine, ends_m: Array) -> None:
        self.lane, self.line = lane, line
        self._start = ends_m[0]
        along = ends_m[1] - ends_m[0]
        self._length = float(np.hypot(*along))
        self._along = along / self._length
        self.across = np.array([-self._along[1], self._along[0]])

    def beyond(self, place: Place) -> float:
        """Metres from the line (extended) to `place`, above 0 on its one side and below on its other."""
        return float(self.across @ (np.array([place.x_m, place.y_m]) - self._start))

    def distance(self, place: Place) -> float:
        """Metres from the line, between its ends, to `place`."""
        at = float(self._along @ (np.array([place.x_m, place.y_m]) - self._start))
        return float(np.hypot(max(0.0, -at, at - self._length), self.beyond(place)))


def road_lines(lanes: tuple[Lane, ...], view: View) -> tuple[RoadLine, ...]:
    """The lines of all lanes, on the road."""
    return tuple(
        RoadLine(lane.id, LaneLine(name), view.frame_ground([line.start, line.end]))
        for lane in lanes
        for name, line in lane.lines.items()
    )


class LineWatch:
    """One vehicle and the lines before it. Each is passed once; of lines side by side only the nearest."""

    def __init__(self, lines: tuple[RoadLine, ...]) -> None:
        self._lines = lines
        self._side = [0] * len(lines)
        self._on_line: list[Place | None] = [None] * len(lines)
        self._done = [False] * len(lines)
        self._is_refused = [False] * len(lines)
        self._last: Place | None = None

    def take(self, place: Place) -> list[Passed]:
        """The lines that are now clearly passed. Places come in order of time."""
        passed = []
        for index, line in enumerate(self._lines):
            if self._done[index]:
                continue
            now = line.beyond(place)
            # Who was first seen on the line has not come to it from either side.
            if self._last is not None and self._side[index] != 0:
                before = line.beyond(self._last)
                if before * now <= 0.0 and before != now:
                    self._on_line[index] = _interpolated(self._last, place, before / (before - now))
            if abs(now) < _CLEAR_M:
                continue
            side = 1 if now > 0 else -1
            at = self._on_line[index]
            if self._side[index] == -side:
                goes_back, self._is_refused[index] = self._is_refused[index], False
                if at is not None and not goes_back and self._is_of(line, at):
                    self._done[index] = True
                    passed.append(Passed(line.lane, line.line, at.presentation_us, at.utc_us, at.utc_error_us))
            self._side[index] = side
        self._last = place
        return passed

    def refuse(self, passed: Passed) -> None:
        """It was not there: it may still pass that line, once it has gone back before it."""
        for index, line in enumerate(self._lines):
            if (line.lane, line.line) == (passed.lane, passed.line):
                self._done[index], self._is_refused[index] = False, True

    def passed_unseen(self, velocity: Array) -> list[Passed]:
        """Count lines that it must have passed before it was first seen, or just then, now that it is seen to go on.

        Traffic comes out from behind other traffic; it does not begin in the middle of a lane. When it passed is not
        known: the time is that of the newest place.
        """
        passed = []
        for index, line in enumerate(self._lines):
            place = self._last
            if self._done[index] or line.line is not LaneLine.COUNT or place is None:
                continue
            beyond = line.beyond(place)
            x_m, y_m = np.array([place.x_m, place.y_m]) - beyond * line.across
            is_going_from_it = beyond * float(line.across @ velocity) > 0.0
            is_beyond = _CLEAR_M < abs(beyond) < _UNSEEN_MAX_M and is_going_from_it and self._on_line[index] is None
            if is_beyond and self._is_of(line, place._replace(x_m=float(x_m), y_m=float(y_m))):
                self._done[index] = True
                times = (place.presentation_us, place.utc_us, place.utc_error_us)
                passed.append(Passed(line.lane, line.line, *times, is_unseen=True))
        return passed

    def _is_of(self, line: RoadLine, at: Place) -> bool:
        own = line.distance(at)
        if own > _BESIDE_M:
            return False
        return all(own <= other.distance(at) for other in self._lines if other.line is line.line)


def _interpolated(before: Place, after: Place, share: float) -> Place:
    return Place(
        before.presentation_us + round(share * (after.presentation_us - before.presentation_us)),
        before.utc_us + round(share * (after.utc_us - before.utc_us)),
        max(before.utc_error_us, after.utc_error_us),
        before.x_m + share * (after.x_m - before.x_m),
        before.y_m + share * (after.y_m - before.y_m),
    )
