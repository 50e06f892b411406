"""The calibration file: TOML, written by a person or by the local page, checked key by key.

```toml
survey_date = 2026-11-20
sigma_px = 1.0                # how well a mark was pointed at in the frame (standard uncertainty); 1.0 unless said

[frame]
width_px = 1280
height_px = 720

[[point]]                     # a mark on the road: where it is in the frame and, if surveyed, on the ground
name = "A"
x_px = 312.5
y_px = 410.0
x_m = 0.0                     # optional, both or neither
y_m = 0.0
uncertainty_m = 0.05          # of each coordinate, k = 2; 0.05 unless said

[[distance]]                  # between two marks, along the road's surface
from = "A"
to = "B"
metres = 12.04
uncertainty_m = 0.03          # k = 2: the true distance lies within it 19 times out of 20

[[lane]]
id = "1"
count_line = [[300.0, 500.0], [560.0, 505.0]]
speed_zone = [[310.0, 400.0], [420.0, 400.0], [600.0, 600.0], [250.0, 600.0]]
stop_line = [[300.0, 550.0], [560.0, 556.0]]
second_line = [[330.0, 420.0], [500.0, 424.0]]
```
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from devices.camera.calibration.lanes import Lane, Line, Point
from ledger_sync.proof.settings import setting

_CORNERS_MAX = 32
_LINE_PX_MIN = 4.0
_ZONE_PX2_MIN = 64.0
_LANE_ID = re.compile(r"[A-Za-z0-9-]{1,8}")


def _parse_date(raw: Any) -> dt.date:
    if not isinstance(raw, dt.date) or isinstance(raw, dt.datetime):
        raise ValueError("must be a date without quotes, such as 2026-11-20")  # noqa: TRY004 - one kind of error
    return raw


def _point(raw: Any) -> Point:
    is_pair = isinstance(raw, list) and len(raw) == 2  # noqa: PLR2004 - x and y
    if not is_pair or any(isinstance(one, bool) or not isinstance(one, int | float) for one in raw):
        raise ValueError("each point must be [x, y], two numbers of pixels")
    try:
        x, y = float(raw[0]), float(raw[1])
    except OverflowError:  # an integer of hundreds of digits
        x = y = math.inf
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("each point must be [x, y], two finite numbers")
    return x, y


def _parse_line(raw: Any) -> Line:
    if not isinstance(raw, list) or len(raw) != 2:  # noqa: PLR2004 - start and end
        raise ValueError("must be a line of two points, such as [[300.0, 500.0], [560.0, 505.0]]")
    line = Line(_point(raw[0]), _point(raw[1]))
    if math.dist(line.start, line.end) < _LINE_PX_MIN:
        raise ValueError(f"is shorter than {_LINE_PX_MIN:.0f} px; draw it across the lane")
    return line


def _parse_zone(raw: Any) -> tuple[Point, ...]:
    if not isinstance(raw, list) or not 3 <= len(raw) <= _CORNERS_MAX:  # noqa: PLR2004 - a triangle
        raise ValueError(f"must be 3 to {_CORNERS_MAX} corners, such as [[310.0, 400.0], [420.0, 400.0], …]")
    corners = tuple(_point(one) for one in raw)
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True))
    if any(_cross(one, other) for one, other in combinations(sides, 2)):
        raise ValueError("has sides that cross each other; name the corners in order around it")
    area = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in sides)) / 2
    if area < _ZONE_PX2_MIN:
        raise ValueError(f"encloses {area:.0f} square pixels; it must enclose at least {_ZONE_PX2_MIN:.0f}")
    return corners


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    def side(line: tuple[Point, Point], at: Point) -> float:
        (ax, ay), (bx, by) = line
        return (bx - ax) * (at[1] - ay) - (by - ay) * (at[0] - ax)

    return side(one, other[0]) * side(one, other[1]) < 0 and side(other, one[0]) * side(other, one[1]) < 0


def _check_lane_id(raw: str) -> str | None:
    return None if _LANE_ID.fullmatch(raw) else "must be 1 to 8 letters, digits and hyphens"


def _check_name(raw: str) -> str | None:
    return None if raw.isprintable() else "must be printable"


@dataclass(frozen=True)
class FrameTable:
    """`[frame]`: the size of the pictures whose pixels the file counts in."""

    width_px: int = setting(doc="the frame's width, such as 1280", minimum=64, maximum=16384)
    height_px: int = setting(doc="the frame's height, such as 720", minimum=64, maximum=16384)


@dataclass(frozen=True)
class PointTable:
    """A `[[point]]`: one mark."""

    name: str = setting(doc="the mark's name, such as A", minimum=1, maximum=16, check=_check_name)
    x_px: float = setting(doc="where it is in the frame, from the left edge")
    y_px: float = setting(doc="where it is in the frame, from the top edge")
    x_m: float | None = setting(None, doc="where it is on the ground", minimum=-10_000.0, maximum=10_000.0)
    y_m: float | None = setting(None, doc="where it is on the ground", minimum=-10_000.0, maximum=10_000.0)
    uncertainty_m: float = setting(0.05, doc="of x_m and of y_m, k = 2", minimum=0.001, maximum=1.0)

    def __post_init__(self) -> None:
        """Raises ValueError when only one coordinate is given."""
        if (self.x_m is None) != (self.y_m is None):
            raise ValueError("has one of x_m and y_m; give both, or neither where it was not surveyed")


@dataclass(frozen=True)
class LaneTable:
    """A `[[lane]]`."""

    id: str = setting(doc="the lane's id, such as 1", check=_check_lane_id)
    count_line: Line | None = setting(None, doc="where vehicles are counted", parse=_parse_line)
    speed_zone: tuple[Point, ...] = setting((), doc="where speed is measured", parse=_parse_zone)
    stop_line: Line | None = setting(None, doc="the stop line", parse=_parse_line)
    second_line: Line | None = setting(None, doc="behind the stop line, in the junction", parse=_parse_line)
    lamp: tuple[Point, ...] = setting((), doc="around the signal's head, as pictures are to show it", parse=_parse_zone)

    def __post_init__(self) -> None:
        """Raises ValueError for lines that do not belong together."""
        if (self.stop_line is None) != (self.second_line is None):
            raise ValueError("has one of stop_line and second_line; red light needs both, anything else neither")

    @property
    def lane(self) -> Lane:
        """The lane that it describes."""
        return Lane(self.id, self.count_line, self.speed_zone, self.stop_line, self.second_line, self.lamp)


@dataclass(frozen=True)
class DistanceTable:
    """A `[[distance]]`: what was measured between two marks."""

    start: str = setting(doc="the mark it starts at", key="from")
    end: str = setting(doc="the mark it ends at", key="to")
    metres: float = setting(doc="how long it is", minimum=0.5, maximum=1000.0)
    uncertainty_m: float = setting(doc="how far off it may be, k = 2, such as 0.03", minimum=0.001, maximum=1.0)


@dataclass(frozen=True)
class CalibrationTable:
    """The whole file."""

    frame: FrameTable = setting(doc="[frame] with width_px and height_px")
    lane: tuple[LaneTable, ...] = setting(doc="[[lane]], at least one", minimum=1)
    survey_date: dt.date | None = setting(None, doc="when the marks were measured", parse=_parse_date)
    sigma_px: float = setting(1.0, doc="how well marks were pointed at in the frame", minimum=0.1, maximum=20.0)
    point: tuple[PointTable, ...] = setting((), doc="[[point]], the marks")
    distance: tuple[DistanceTable, ...] = setting((), doc="[[distance]] between marks")
