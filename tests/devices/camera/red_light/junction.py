"""A junction for tests of the judge: signal events, frames and crossings at times that a test chooses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from devices.camera.calibration.calibration import Calibration
from devices.camera.calibration.ground_plane import GroundPlane
from devices.camera.calibration.lanes import Lane, Line
from devices.camera.frame import ClockClass, Frame
from devices.camera.track import Box, Direction, Track, TrackPoint, VehicleClass
from devices.camera.vehicles.seen import Crossing, LaneLine
from devices.driver import CommittedEvent

if TYPE_CHECKING:
    from devices.camera.frame import Image

JOURNAL = bytes(range(16))
UTC_US = 1_800_000_000_000_000
"""The gateway's UTC at second 0 of a test."""
FRAME_S = 1 / 15
UTC_ERROR_US = 20_000
_IMAGE: Image = np.zeros((1, 1, 3), np.uint8)


STOP_M = 40.0
LANE = Lane("1", stop_line=Line((0.0, STOP_M), (100.0, STOP_M)), second_line=Line((0.0, 50.0), (100.0, 50.0)))
"""Pixels are metres; a crossing says by itself when the second line was passed, wherever that is."""
CALIBRATION = Calibration(100, 100, (LANE,), GroundPlane(np.eye(3), np.eye(9) * 1e-6), bytes(32))
NOT_SURVEYED = replace(CALIBRATION, plane=None)


def at_us(seconds: float) -> int:
    """The gateway's UTC at a second of the test."""
    return UTC_US + round(seconds * 1e6)


def event(seconds: float, kind: str, data: dict[str, Any], sequence: int = 1) -> CommittedEvent:
    """An event that came in at `seconds`."""
    return CommittedEvent("signal-1", kind, data, JOURNAL, sequence, at_us(seconds), 5_000)


def phase(seconds: float, state: str, sequence: int = 1, **fields: Any) -> CommittedEvent:
    """A change of vehicle phase 2, polled every tenth of a second."""
    data = {
        "controller": "signal-1",
        "group": 2,
        "kind": "vehicle",
        "state": state,
        "start_time": None,
        "source": "poll",
        "resolution_ms": 100,
        "cause": "change",
    }
    return event(seconds, "signal.phase", {key: one for key, one in (data | fields).items() if one != ""}, sequence)


def frame(seconds: float, *, epoch: int = 1, step_s: float = 0.0) -> Frame:
    """A frame taken at `seconds`; UTC was stepped by `step_s` before."""
    utc_us = at_us(seconds + step_s)
    return Frame(_IMAGE, round(seconds * 1e6), 0, utc_us, UTC_ERROR_US, epoch, ClockClass.RTSP)


def point(seconds: float, y_m: float, *, is_whole: bool = True) -> TrackPoint:
    """Where a vehicle's contact point was."""
    place = (0.0, y_m, 50.0, y_m)
    return TrackPoint(round(seconds * 1e6), at_us(seconds), UTC_ERROR_US, *place, Box(0, 0, 1, 1), is_whole)


def vehicle(
    first_s: float,
    last_s: float,
    stop_s: float = 15.0,
    *,
    number: int = 1,
    clock: ClockClass = ClockClass.RTSP,
    speed_m_s: float = 12.0,
) -> Track:
    """A light vehicle that was seen in every frame from one second to another, at the stop line at `stop_s`."""
    count = round((last_s - first_s) / FRAME_S) + 1
    times = [first_s + index * FRAME_S for index in range(count)]
    points = [point(time, STOP_M + speed_m_s * (time - stop_s)) for time in times]
    return Track(number, 1, clock, points, VehicleClass.LIGHT)


def crossing(
    track: Track, seconds: float, line: LaneLine, direction: Direction = Direction.APPROACHING, **fields: Any
) -> Crossing:
    """The track's contact point passed a line of lane 1 at `seconds`."""
    made = Crossing(track, "1", line, direction, round(seconds * 1e6), at_us(seconds), UTC_ERROR_US)
    return made._replace(**fields)


def both_lines(
    stop_s: float, second_s: float, direction: Direction = Direction.APPROACHING, **keys: Any
) -> tuple[Crossing, Crossing]:
    """A vehicle seen from 3 s before the stop line to 1 s after the second line."""
    track = vehicle(stop_s - 3, second_s + 1, stop_s, **keys)
    return crossing(track, stop_s, LaneLine.STOP, direction), crossing(track, second_s, LaneLine.SECOND, direction)
