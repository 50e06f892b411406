"""A camera that is started amid traffic counts who comes after, in every light."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices.camera.frame import ClockClass, Frame
from devices.camera.vehicles.ghosts import ghosts
from devices.camera.vehicles.seen import Crossing, LaneLine
from devices.camera.vehicles.tracker import VehicleTracker
from devices.sim.camera.busy_junction import busy_junction
from devices.sim.camera.light import DAY, NIGHT, RAIN
from tests.support.counted_scenes import FPS, SECOND_US, calibration_of

if TYPE_CHECKING:
    from devices.sim.camera.light import Light
    from devices.sim.camera.scene import Scene

SEED = 401_000
SETTLED_S = 1.5
"""Who is on a count line in the first pictures is not counted."""


def lanes_counted(scene: Scene, begin_s: float, end_s: float) -> list[str]:
    """The lanes of who is counted when a camera is started at `begin_s` of the scene, in order."""
    tracker = VehicleTracker(calibration_of(scene))
    crossings: list[Crossing] = []
    for index in range(round((end_s - begin_s) * FPS)):
        at_us = round(index / FPS * SECOND_US)
        image = scene.render(begin_s + index / FPS)
        crossings += tracker.take(Frame(image, at_us, at_us, at_us, 1000, 1, ClockClass.CONTAINER)).crossings
    return [one.lane for one in crossings if one.line is LaneLine.COUNT]


def lanes_passed(scene: Scene, begin_s: float, end_s: float) -> list[str]:
    """The lanes of who truly passes."""
    passings = [one for one in scene.crossings() if one.line == "count_line"]
    times = [
        (at_s, one.lane)
        for one in passings
        if (at_s := one.front_s if scene.layout.lane(one.lane).approaching else one.rear_s) is not None
    ]
    return [lane for at_s, lane in sorted(times) if begin_s + SETTLED_S < at_s < end_s - SETTLED_S]


@pytest.mark.parametrize(
    ("light", "begin_s", "end_s"),
    [(DAY, 3.0, 11.0), (NIGHT, 3.0, 11.0), (RAIN, 0.0, 14.0)],
    ids=["by day", "by night", "in rain, with lamps lit on a wet road"],
)
def test_who_comes_after_a_start_amid_traffic_is_counted_once(light: Light, begin_s: float, end_s: float) -> None:
    scene = replace(busy_junction(SEED), light=light)
    assert lanes_counted(scene, begin_s, end_s) == lanes_passed(scene, begin_s, end_s)


ROAD, VEHICLE = np.full((60, 80, 3), 90, np.uint8), (slice(20, 40), slice(30, 55))


def with_vehicle() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = ROAD.copy()
    image[VEHICLE] = 200
    return image


def found() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    mask = np.zeros(ROAD.shape[:2], np.uint8)
    mask[VEHICLE] = 255
    return mask


def test_where_the_background_shows_a_vehicle_that_has_gone_is_a_ghost() -> None:
    gone = ghosts(found(), found() > 0, ROAD, with_vehicle())
    assert gone[VEHICLE].min() == 255
    assert np.count_nonzero(gone) < 2 * np.count_nonzero(found())


def test_who_stands_on_the_road_is_no_ghost() -> None:
    assert not ghosts(found(), found() > 0, with_vehicle(), ROAD).any()


def test_who_has_only_just_come_is_no_ghost() -> None:
    assert not ghosts(found(), np.zeros(ROAD.shape[:2], np.bool_), ROAD, with_vehicle()).any()
