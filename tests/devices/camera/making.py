"""Frames, tracks and crossings as tests want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from devices.camera.frame import ClockClass, Frame
from devices.camera.track import Box, Direction, Track, TrackPoint, VehicleClass
from devices.camera.vehicles.seen import Crossing, LaneLine

if TYPE_CHECKING:
    from devices.camera.frame import Image

SECOND_US = 1_000_000
UTC_US = 1_700_000_000 * SECOND_US
"""Presentation time 0. A whole number of ten seconds."""
EPOCH = 1
ANYWHERE = Box(0, 0, 10, 10)


def frame(at_s: float, *, epoch: int = EPOCH, image: Image | None = None, step_s: float = 0.0) -> Frame:
    """A frame of presentation time `at_s`, when UTC is `step_s` off."""
    at_us = round(at_s * SECOND_US)
    shown = np.zeros((36, 64, 3), np.uint8) if image is None else image
    return Frame(shown, at_us, at_us, UTC_US + at_us + round(step_s * SECOND_US), 50_000, epoch, ClockClass.CONTAINER)


def point(at_s: float, u_px: float, v_px: float, box: Box = ANYWHERE) -> TrackPoint:
    """A whole vehicle's point; a metre a pixel."""
    at_us = round(at_s * SECOND_US)
    return TrackPoint(at_us, UTC_US + at_us, 50_000, u_px, v_px, u_px, v_px, box, is_whole=True)


def track(number: int, *points: TrackPoint) -> Track:
    """A car's track."""
    return Track(number, EPOCH, ClockClass.CONTAINER, list(points), VehicleClass.LIGHT)


def count_crossing(number: int, at_s: float, lane: str = "1") -> Crossing:
    """A car comes over the count line of a lane."""
    at_us = round(at_s * SECOND_US)
    of = track(number, point(at_s, 0, 0))
    return Crossing(of, lane, LaneLine.COUNT, Direction.APPROACHING, at_us, UTC_US + at_us, 50_000)
