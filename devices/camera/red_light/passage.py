"""A vehicle's way over the stop line and the second line, from the crossings that its tracker tells."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from devices.camera.red_light.front import front_before_us
from devices.camera.red_light.one_vehicle import seen_through
from devices.camera.track import Direction
from devices.camera.vehicles.seen import LaneLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devices.camera.calibration.calibration import Calibration
    from devices.camera.calibration.lanes import Line
    from devices.camera.track import Track, TrackPoint
    from devices.camera.vehicles.seen import Crossing

VEHICLES_MAX = 64
PASSAGE_MAX_US = 60_000_000
END_SHARE = 0.15
"""Of a line, at either end: half a metre of a lane of 3.5 m. Whose contact point is there is half beside the lane."""
MERGED_ERROR_M = 3.0
"""By how much the contact point of a vehicle may be wrong whose box is merged with another's."""
ONWARD_M = 5.0
"""How far a vehicle goes on behind the second line. What reaches further than the vehicle itself (its shadow, the light
of its headlamps on the road) passes lines that it stops before, but then stops as well, or turns off with it."""


class Passage(NamedTuple):
    """A vehicle has passed both lines of a lane in the lane's direction, and gone on.

    All times are of presentation. `front_us`: its front was before the stop line until then, at least. `onward_us`: it
    was clearly behind the second line. `pictures_us`: of the first frames after each crossing that show it whole.
    """

    track: Track
    lane: str
    stop: Crossing
    second: Crossing
    front_us: int
    onward_us: int
    pictures_us: tuple[int, int]


class Doubtful(NamedTuple):
    """Both lines were passed, but by a track that does not show one vehicle all the way."""

    track: Track
    lane: str


class PassageWatch:
    """Pairs the crossings of stop lines with those of second lines. Holds the newest 64 vehicles.

    The calibration is that of the frames, whose pixels the tracks are in. Without a survey there are no passages.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._lanes = {lane.id: lane for lane in calibration.lanes}
        self._is_surveyed = calibration.plane is not None
        self._crossings: OrderedDict[tuple[int, str], dict[LaneLine, Crossing]] = OrderedDict()

    def take(self, crossing: Crossing) -> None:
        """A vehicle passed a line."""
        if not self._is_surveyed or crossing.line not in (LaneLine.STOP, LaneLine.SECOND):
            return
        self._crossings.setdefault((crossing.track.number, crossing.lane), {})[crossing.line] = crossing
        if len(self._crossings) > VEHICLES_MAX:
            self._crossings.popitem(last=False)

    def finished(self, now_us: int) -> Iterator[Passage | Doubtful]:
        """Those that have come to their end; `now_us` is the presentation time of the newest frame."""
        for key, known in list(self._crossings.items()):
            if len(known) == 1:
                continue
            stop, second = known[LaneLine.STOP], known[LaneLine.SECOND]
            onward = _first_onward(stop.track.points, stop, second)
            if onward is not None:
                del self._crossings[key]
                yield from self._passage(stop, second, seen_through(stop.track.points[: onward + 1]))
            elif now_us - second.presentation_us > PASSAGE_MAX_US:
                del self._crossings[key]

    def _passage(self, stop: Crossing, second: Crossing, points: Sequence[TrackPoint]) -> Iterator[Passage | Doubtful]:
        """What comes of both crossings; `points` are the vehicle's, as far back as they are surely of it."""
        passed_us = second.presentation_us - stop.presentation_us
        if stop.direction is not second.direction or not 0 < passed_us <= PASSAGE_MAX_US:
            return
        lane = self._lanes[stop.lane]
        assert lane.stop_line is not None, "it was crossed"
        front_us = _front_us(_before(lane.stop_line, points), stop) if points else None
        if front_us is None:
            yield Doubtful(stop.track, stop.lane)
        elif all(_is_within(lane.lines[one.line], points, one.presentation_us) for one in (stop, second)):
            pictures_us = (_first_after(points, stop.presentation_us), _first_after(points, second.presentation_us))
            yield Passage(stop.track, stop.lane, stop, second, front_us, points[-1].presentation_us, pictures_us)


def _first_onward(points: Sequence[TrackPoint], stop: Crossing, second: Crossing) -> int | None:
    """The first point that is ONWARD_M beyond the second line, in the direction from line to line; more if merged."""
    at_stop, at_second = (bisect_left(points, one.presentation_us, key=_time) for one in (stop, second))
    if at_second >= len(points):
        return None
    first, last = points[max(0, min(at_stop, at_second) - 1)], points[at_second]
    along_x, along_y = last.x_m - first.x_m, last.y_m - first.y_m
    length_m = math.hypot(along_x, along_y)
    for index in range(at_second, len(points)):
        gone_x, gone_y = points[index].x_m - last.x_m, points[index].y_m - last.y_m
        needed_m = ONWARD_M if points[index].is_whole else ONWARD_M + MERGED_ERROR_M
        if gone_x * along_x + gone_y * along_y >= needed_m * length_m > 0:
            return index
    return None


def _before(line: Line, points: Sequence[TrackPoint]) -> Sequence[TrackPoint]:
    """The points at which it was seen whole before the line; beyond it the last of all is."""
    whole = [point for point in points if point.is_whole]
    beyond = [_side(line, point) * _side(line, points[-1]) > 0 for point in whole]
    return whole[: beyond.index(True)] if any(beyond) else whole


def _side(line: Line, point: TrackPoint) -> float:
    (start_x, start_y), (end_x, end_y) = line
    return (end_x - start_x) * (point.v_px - start_y) - (end_y - start_y) * (point.u_px - start_x)


def _front_us(approach: Sequence[TrackPoint], stop: Crossing) -> int | None:
    """When the front was surely before the stop line; who comes towards the camera stands on it in the picture."""
    if not approach:
        return None
    if stop.direction is Direction.APPROACHING:
        return min(approach[-1].presentation_us, stop.presentation_us)
    return front_before_us(approach, stop.track.vehicle)


def _is_within(line: Line, points: Sequence[TrackPoint], moment_us: int) -> bool:
    """Whether a line was passed well between its ends: who turns off passes beside the second line.

    Where the contact point was at that moment, as a share of the line, is taken from the points around it.
    """
    after = min(max(1, bisect_left(points, moment_us, key=_time)), len(points) - 1)
    one, other = points[after - 1], points[after]
    share = (moment_us - one.presentation_us) / (other.presentation_us - one.presentation_us)
    x = one.u_px + share * (other.u_px - one.u_px) - line.start[0]
    y = one.v_px + share * (other.v_px - one.v_px) - line.start[1]
    along_x, along_y = line.end[0] - line.start[0], line.end[1] - line.start[1]
    return END_SHARE <= (x * along_x + y * along_y) / (along_x**2 + along_y**2) <= 1 - END_SHARE


def _first_after(points: Sequence[TrackPoint], moment_us: int) -> int:
    return points[min(bisect_left(points, moment_us, key=_time), len(points) - 1)].presentation_us


def _time(point: TrackPoint) -> int:
    return point.presentation_us
