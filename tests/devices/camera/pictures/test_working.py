from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from devices.camera.calibration.lanes import Line
from devices.camera.frame_shelf import FrameShelf
from devices.camera.pictures.boxes import boxes_at
from devices.camera.pictures.working import Kept, working_picture
from devices.camera.track import Box
from tests.devices.camera.making import EPOCH, UTC_US, frame, point, track

if TYPE_CHECKING:
    from devices.camera.frame import Image
    from devices.camera.frame_shelf import Still

CAR, PASSER_BY, LAMP = Box(100, 60, 220, 180), Box(300, 100, 360, 220), Box(500, 20, 530, 80)
SIZE = (640, 360)


def street() -> Image:
    """Everything is fine noise: what is blurred has lost it."""
    return np.random.default_rng(7).integers(0, 255, (360, 640, 3), np.uint8)


def still(image: Image, at_s: float = 0.0) -> Still:
    shelf = FrameShelf()
    shelf.put(frame(at_s, image=image))
    return shelf.nearest(EPOCH, [UTC_US + round(at_s * 1e6)])[0]


def pictured(*, people: bool = False, tracks: tuple[Box, ...] = (CAR, PASSER_BY), scale: int = 1) -> Image:
    image = cv2.resize(street(), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    corners = ((LAMP.left, LAMP.top), (LAMP.right, LAMP.top), (LAMP.right, LAMP.bottom), (LAMP.left, LAMP.bottom))
    made = tuple(track(number, point(0, 0, 0, box)) for number, box in enumerate(tracks, 1))
    kept = Kept(1, made, SIZE, corners, (Line((0.0, 300.0), (640.0, 300.0)),), people)
    jpeg = working_picture([still(np.asarray(image, np.uint8))], kept, ["cam-1  lane 1"])
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(decoded, np.uint8)


def detail(shown: Image, box: Box, scale: int = 1) -> float:
    """How rough a place is, at a pixel's distance; white noise has about 60, a blur below 5."""
    inside = shown[box.top * scale + 4 : box.bottom * scale - 4, box.left * scale + 4 : box.right * scale - 4]
    grey = cv2.cvtColor(inside, cv2.COLOR_BGR2GRAY).astype(float)
    return float(np.abs(np.diff(grey, axis=1)).mean())


LOWER_HALF = CAR._replace(top=CAR.top + 70)
WINDSCREEN = CAR._replace(bottom=CAR.top + 60)


def test_the_vehicle_and_the_lamp_are_shown_and_nobody_else() -> None:
    shown = pictured()
    assert detail(shown, LOWER_HALF) > 20
    assert detail(shown, LAMP) > 20
    assert detail(shown, PASSER_BY) < 5
    assert detail(shown, Box(400, 200, 600, 290)) < 5


def test_who_sits_in_the_vehicle_is_shown_only_where_the_law_asks_for_it() -> None:
    assert detail(pictured(), WINDSCREEN) < 5
    assert detail(pictured(people=True), WINDSCREEN) > 20


def test_another_vehicle_in_front_of_the_lamp_or_of_the_car_is_blurred() -> None:
    overlapping = Box(180, 120, 240, 200)
    shown = pictured(people=True, tracks=(CAR, overlapping, LAMP))
    assert detail(shown, Box(185, 125, 218, 178)) < 5
    assert detail(shown, LAMP) < 5
    assert detail(shown, Box(105, 65, 170, 110)) > 20


def test_a_vehicle_that_was_lost_before_the_picture_is_not_guessed() -> None:
    shown = pictured(people=True, tracks=(CAR._replace(left=0, right=1, bottom=CAR.top + 1), PASSER_BY))
    assert detail(shown, LOWER_HALF) < 5


def test_the_picture_of_a_larger_stream_shows_the_same() -> None:
    shown = pictured(scale=2, people=True)
    assert shown.shape[1] == 1280
    assert detail(shown, LAMP, 2) > 10
    assert detail(shown, PASSER_BY, 2) < 5


def test_the_data_bar_lies_below_and_hides_nothing() -> None:
    assert pictured().shape[0] > 360
    assert pictured()[362:].max() > 200


def test_a_box_between_two_points_is_in_between() -> None:
    vehicle = track(1, point(0, 0, 0, Box(0, 0, 10, 10)), point(1, 0, 0, Box(100, 0, 110, 10)))
    assert boxes_at([vehicle], UTC_US + 500_000, (1.0, 1.0)) == {1: Box(50, 0, 60, 10)}
    assert boxes_at([vehicle], UTC_US + 500_000, (2.0, 3.0)) == {1: Box(100, 0, 120, 30)}


@pytest.mark.parametrize(("at_us", "left"), [(-400_000, 0), (1_400_000, 100)])
def test_a_vehicle_is_taken_to_be_there_a_moment_before_and_after_it_was_seen(at_us: int, left: int) -> None:
    vehicle = track(1, point(0, 0, 0, Box(0, 0, 10, 10)), point(1, 0, 0, Box(100, 0, 110, 10)))
    assert boxes_at([vehicle], UTC_US + at_us, (1.0, 1.0))[1].left == left


@pytest.mark.parametrize("at_us", [-600_000, 1_600_000])
def test_and_no_longer_than_that(at_us: int) -> None:
    vehicle = track(1, point(0, 0, 0), point(1, 0, 0))
    assert boxes_at([vehicle], UTC_US + at_us, (1.0, 1.0)) == {}
