"""What no single key of a calibration file can tell: names, places in the frame, and what belongs together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.camera.calibration.calibration_file import CalibrationTable, FrameTable
    from devices.camera.calibration.lanes import Point
    from ledger_sync.proof.settings import Problems

MARKS_MIN, MARKS_MAX = 5, 24
"""Four marks fit any homography: nothing would show a wrong click."""
DISTANCES_MIN, DISTANCES_MAX = 2, 64
LANES_MAX = 32
_APART_PX_MIN = 4.0


def check_consistency(table: CalibrationTable, problems: Problems) -> None:
    """Notes every mistake."""
    _check_lanes(table, problems)
    if not table.point and not table.distance:
        for at, lane in enumerate(table.lane):
            if lane.speed_zone:
                problems.add(f"lane[{at}].speed_zone", "needs a surveyed road; add [[point]] and [[distance]]")
        return
    if table.survey_date is None:
        problems.add("survey_date", "is missing; say when the marks were measured, such as 2026-11-20")
    _check_marks(table, problems)
    _check_distances(table, problems)


def _check_lanes(table: CalibrationTable, problems: Problems) -> None:
    if len(table.lane) > LANES_MAX:
        problems.add("lane", f"there are {len(table.lane)}; a camera has at most {LANES_MAX}")
        return
    seen = Counter(lane.id for lane in table.lane)
    for at, row in enumerate(table.lane):
        if seen[row.id] > 1:
            problems.add(f"lane[{at}].id", f"{row.id} is there {seen[row.id]} times; each lane needs its own")
        lane = row.lane
        if not lane.lines and not lane.speed_zone:
            problems.add(f"lane[{at}]", "has no line and no zone; give a count_line, a speed_zone, or a stop_line")
        places = {**lane.lines, "speed_zone": lane.speed_zone}
        for name, points in places.items():
            for point in points:
                _check_inside(table.frame, point, f"lane[{at}].{name}", problems)


def _check_marks(table: CalibrationTable, problems: Problems) -> None:
    if not MARKS_MIN <= len(table.point) <= MARKS_MAX:
        problems.add("point", f"there are {len(table.point)} marks; survey {MARKS_MIN} to {MARKS_MAX}")
    if len(table.point) > MARKS_MAX:  # each is held against every other
        return
    names = Counter(point.name for point in table.point)
    for at, point in enumerate(table.point):
        if names[point.name] > 1:
            problems.add(f"point[{at}].name", f"{point.name} is there {names[point.name]} times; name each mark once")
        _check_inside(table.frame, (point.x_px, point.y_px), f"point[{at}]", problems)
        for other in table.point[:at]:
            if max(abs(point.x_px - other.x_px), abs(point.y_px - other.y_px)) < _APART_PX_MIN:
                problems.add(f"point[{at}]", f"{point.name} is where {other.name} is; point at each mark in the frame")


def _check_distances(table: CalibrationTable, problems: Problems) -> None:
    if not DISTANCES_MIN <= len(table.distance) <= DISTANCES_MAX:
        problems.add(
            "distance", f"there are {len(table.distance)}; measure {DISTANCES_MIN} to {DISTANCES_MAX} between marks"
        )
    if len(table.distance) > DISTANCES_MAX or len(table.point) > MARKS_MAX:
        return
    names = [point.name for point in table.point]
    pairs = Counter(frozenset((one.start, one.end)) for one in table.distance)
    for at, one in enumerate(table.distance):
        for key, name in (("from", one.start), ("to", one.end)):
            if name not in names:
                problems.add(f"distance[{at}].{key}", f"there is no mark {name!r}; marks: {', '.join(names)}")
        if one.start == one.end:
            problems.add(f"distance[{at}]", f"goes from {one.start} to itself; name two marks")
        elif pairs[frozenset((one.start, one.end))] > 1:
            problems.add(f"distance[{at}]", f"{one.start} to {one.end} is there more than once; give their mean once")


def _check_inside(frame: FrameTable, point: Point, place: str, problems: Problems) -> None:
    x, y = point
    if not (0 <= x <= frame.width_px and 0 <= y <= frame.height_px):
        problems.add(place, f"({x:g}, {y:g}) is outside the frame of {frame.width_px}x{frame.height_px} px")
