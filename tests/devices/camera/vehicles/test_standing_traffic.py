"""Traffic that stands is neither lost nor learnt as road; what is no traffic is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.vehicles import vehicle
from devices.camera.vehicles.foreground import Foreground
from devices.camera.vehicles.seen import Crossing, LaneLine
from devices.camera.vehicles.tracker import VehicleTracker
from devices.sim.camera.motion import TOWARDS_RAD, Motion, Path, Phase, Place
from devices.sim.camera.road_user import Kind, RoadUser
from devices.sim.camera.scene import Scene
from devices.sim.camera.traffic import OVERVIEW, TWO_WAY
from tests.support.counted_scenes import calibration_of, frames_of

if TYPE_CHECKING:
    import pytest

    from devices.camera.frame import Image
    from devices.camera.vehicles.foreground import Mask

FPS = 5.0
STANDING_S = 60.0
# From 60 m ahead at 10 m/s it brakes, stands 26 m ahead of the camera, and goes on.
TO_A_RED_LIGHT = Motion(
    10.0, 0.0, 50.0, (Phase(0.9, 0.0), Phase(5.0, -2.0), Phase(STANDING_S, 0.0), Phase(4.0, 2.0), Phase(3.0, 0.0))
)
QUARTER_US = 250_000


def stopping_scene() -> Scene:
    car = RoadUser(1, Kind.CAR, Path(Place(-1.75, 110.0, TOWARDS_RAD)), TO_A_RED_LIGHT, lane="in", colour=(40, 40, 150))
    pose = OVERVIEW.scaled_to(320, 180)
    return Scene(TWO_WAY, (car,), pose, duration_s=STANDING_S + 14.0)


def test_a_car_that_stands_at_red_for_a_minute_is_one_track_and_counted_once() -> None:
    cv2.setNumThreads(1)
    scene = stopping_scene()
    tracker = VehicleTracker(calibration_of(scene))
    numbers: set[int] = set()
    crossings: list[Crossing] = []
    for frame in frames_of(scene, FPS):
        seen = tracker.take(frame)
        numbers |= {track.number for track in seen.live}
        crossings += seen.crossings
    assert len(numbers) == 1
    assert [(one.lane, one.line) for one in crossings] == [("in", LaneLine.COUNT)]


def test_a_track_keeps_a_bounded_number_of_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vehicle, "POINTS_MAX", 30)
    scene = replace(stopping_scene(), duration_s=20.0)
    tracker = VehicleTracker(calibration_of(scene))
    longest = 0
    for frame in frames_of(scene, FPS):
        for track in tracker.take(frame).live:
            times = [point.presentation_us for point in track.points]
            assert times == sorted(times)
            longest = max(longest, len(times))
    assert longest == 30


def road() -> Image:
    """Grey, with a texture."""
    texture = np.random.default_rng(1).integers(-6, 7, (180, 320, 1))
    return np.broadcast_to(90 + texture, (180, 320, 3)).astype(np.uint8)


def with_box(image: Image) -> Image:
    changed = image.copy()
    changed[80:110, 150:180] = (200, 60, 40)
    return changed


def learnt(foreground: Foreground, image: Image, seconds: float, held: Mask, start_us: int) -> int:
    """Shows `image` for so long; gives the time after it."""
    end_us = start_us + round(seconds * 1_000_000)
    for at_us in range(start_us, end_us, QUARTER_US):
        if foreground.mask(image, at_us) is not None:
            foreground.learn(held, at_us)
    return end_us


def test_what_is_held_is_never_learnt_as_road_and_what_is_not_is_after_a_while() -> None:
    nothing = np.zeros((180, 320), np.uint8)
    held = nothing.copy()
    held[76:114, 146:184] = 255
    for holding, is_found in ((held, True), (nothing, False)):
        foreground = Foreground(320, 180)
        now_us = learnt(foreground, road(), 10.0, nothing, 0)
        now_us = learnt(foreground, with_box(road()), 40.0, holding, now_us)
        mask = foreground.mask(with_box(road()), now_us)
        assert mask is not None
        assert bool(mask[95, 165]) is is_found


def test_a_light_that_changes_for_the_whole_view_is_no_vehicle() -> None:
    nothing = np.zeros((180, 320), np.uint8)
    foreground = Foreground(320, 180)
    now_us = learnt(foreground, road(), 10.0, nothing, 0)
    for gain in (0.55, 1.6):
        mask = foreground.mask(np.clip(road() * gain, 0, 255).astype(np.uint8), now_us)
        assert mask is not None
        assert np.count_nonzero(mask) == 0


def test_another_view_is_learnt_anew_after_two_seconds() -> None:
    nothing = np.zeros((180, 320), np.uint8)
    foreground = Foreground(320, 180)
    now_us = learnt(foreground, road(), 10.0, nothing, 0)
    other = np.random.default_rng(2).integers(0, 255, (180, 320, 3)).astype(np.uint8)
    assert foreground.mask(other, now_us) is None
    now_us = learnt(foreground, other, 3.0, nothing, now_us)
    mask = foreground.mask(other, now_us)
    assert mask is not None
    assert np.count_nonzero(mask) == 0
