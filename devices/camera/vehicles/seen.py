"""What `VehicleTracker` tells of a frame: who is there, who has gone, and who passed a lane's line."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from devices.camera.track import Direction, Track


class LaneLine(enum.StrEnum):
    """Which of a lane's lines, named as in the calibration."""

    COUNT = "count_line"
    STOP = "stop_line"
    SECOND = "second_line"


class Crossing(NamedTuple):
    """A vehicle's contact point passed a lane's line.

    The times are interpolated between the frames on both sides of the line. A track passes each line at most once.
    It is told once the vehicle is clearly beyond the line, so some frames after its time.
    """

    track: Track
    lane: str
    line: LaneLine
    direction: Direction
    presentation_us: int
    utc_us: int
    utc_error_us: int


class Seen(NamedTuple):
    """What became of one frame.

    `live` are the vehicles that are followed now, also those that are hidden for a moment; `ended` those that were
    given up with this frame: no point or crossing is added to them any more.
    """

    live: tuple[Track, ...]
    ended: tuple[Track, ...]
    crossings: tuple[Crossing, ...]
