"""Rendered scenes whose vehicles are followed, and who was counted held against who truly passed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from devices.camera.calibration.calibration import load_calibration
from devices.camera.frame import ClockClass, Frame
from devices.camera.vehicles.seen import Crossing, LaneLine
from devices.camera.vehicles.tracker import VehicleTracker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devices.camera.calibration.calibration import Calibration
    from devices.sim.camera.scene import LineCrossing, Scene

SECOND_US = 1_000_000
FPS = 15.0
EMPTY_ROAD_S = 4.0
"""What a camera learns the road from before the first vehicle comes."""
APART_MAX_S, HIDDEN_MAX_S = 1.5, 15.0
"""From when a vehicle passes to when it is counted: in free traffic; in a queue, where it may be behind another as it
passes, and stand there, and is counted once it is seen."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many truly passed, and how many of them were missed; how many were counted that were not there."""

    true: int
    missed: int
    false: int


def share_right(scenes: list[Counted]) -> float:
    """1 less the share of errors."""
    return 1 - sum(one.missed + one.false for one in scenes) / sum(one.true for one in scenes)


def calibration_of(scene: Scene) -> Calibration:
    """The calibration that is true to the scene's pose."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "road.toml"
        path.write_text(scene.calibration_toml())
        return load_calibration(path)


def frames_of(scene: Scene, fps: float = FPS) -> Iterator[Frame]:
    """The scene after some seconds of its empty road."""
    empty = replace(scene, vehicles=())
    for index in range(-round(EMPTY_ROAD_S * fps), round(scene.duration_s * fps)):
        at_s = index / fps
        image = scene.render(at_s) if index >= 0 else empty.render(scene.duration_s + EMPTY_ROAD_S + at_s)
        at_us = round((at_s + EMPTY_ROAD_S) * SECOND_US)
        yield Frame(image, at_us, at_us, at_us, 1000, 1, ClockClass.CONTAINER)


def crossings_of(scene: Scene) -> list[Crossing]:
    """All crossings that the tracker tells of the scene."""
    tracker = VehicleTracker(calibration_of(scene))
    return [crossing for frame in frames_of(scene) for crossing in tracker.take(frame).crossings]


def counted(scene: Scene, crossings: list[Crossing], apart_max_s: float = APART_MAX_S) -> Counted:
    """Hold the crossings of count lines against the truth: same lane, the nearest in time first, each used once."""
    told = [
        (one.lane, one.presentation_us / SECOND_US - EMPTY_ROAD_S) for one in crossings if one.line is LaneLine.COUNT
    ]
    true = [(passing.lane, at_s) for passing in scene.crossings() if (at_s := _passes_s(scene, passing)) is not None]
    pairs = sorted(
        (abs(said_s - at_s), one, other)
        for one, (lane, at_s) in enumerate(true)
        for other, (said_lane, said_s) in enumerate(told)
        if lane == said_lane and abs(said_s - at_s) <= apart_max_s
    )
    passed: set[int] = set()
    used: set[int] = set()
    for _, one, other in pairs:
        if one not in passed and other not in used:
            passed.add(one)
            used.add(other)
    return Counted(len(true), len(true) - len(passed), len(told) - len(used))


def _passes_s(scene: Scene, passing: LineCrossing) -> float | None:
    """When its contact point passes the count line, which is the end that the camera sees; None if it does not."""
    if passing.line != "count_line":
        return None
    at_s = passing.front_s if scene.layout.lane(passing.lane).approaching else passing.rear_s
    return None if at_s is None or at_s > scene.duration_s - 1 else at_s
