from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from devices.camera.frame_shelf import still_of
from devices.camera.stream_match import Glimpse, lag_us
from devices.camera.track import Box
from tests.devices.camera.making import UTC_US, frame, point, track

if TYPE_CHECKING:
    from devices.camera.frame import Image
    from devices.camera.frame_shelf import Still
    from devices.camera.track import Track

PERIOD_S = 1 / 15
ROAD = np.random.default_rng(1).integers(60, 120, (180, 320), np.uint8)
CAR = np.kron(np.random.default_rng(2).integers(0, 255, (4, 6), np.uint8), np.ones((8, 8), np.uint8))


def left_px(at_s: float, speed_px_s: float) -> int:
    return 20 + round(at_s * speed_px_s)


def picture(at_s: float, speed_px_s: float) -> Image:
    image = ROAD.copy()
    left = left_px(at_s, speed_px_s)
    image[80 : 80 + CAR.shape[0], left : left + CAR.shape[1]] = CAR
    return image


def seen(*at_s: float, speed_px_s: float = 100.0) -> tuple[Track, list[Still]]:
    """A car's track over two seconds, and pictures of it."""
    boxes = [
        (index * PERIOD_S, Box(left := left_px(index * PERIOD_S, speed_px_s), 80, left + 48, 112))
        for index in range(30)
    ]
    points = [point(time_s, box.left + 24.0, 112.0, box) for time_s, box in boxes]
    colour = [np.dstack([picture(one, speed_px_s)] * 3) for one in at_s]
    return track(1, *points), [still_of(frame(one, image=image)) for one, image in zip(at_s, colour, strict=True)]


def glimpses(lag_s: float, *, speed_px_s: float = 100.0, count: int = 30) -> list[Glimpse]:
    """The same car over a stream whose time is `lag_s` later."""
    times = [index * PERIOD_S for index in range(count)]
    return [Glimpse(UTC_US + round((one + lag_s) * 1e6), picture(one, speed_px_s)) for one in times]


@pytest.mark.parametrize("lag_s", [-0.8, -0.05, 0.0, 0.3, 0.8])
def test_the_lag_of_one_stream_behind_the_other_is_found_by_what_they_show(lag_s: float) -> None:
    car, stills = seen(5 * PERIOD_S, 9 * PERIOD_S, 14 * PERIOD_S)
    assert lag_us(car, stills, glimpses(lag_s)) == pytest.approx(lag_s * 1e6, abs=2)


def test_a_car_that_stands_looks_the_same_at_any_time_so_that_the_times_are_believed() -> None:
    car, stills = seen(5 * PERIOD_S, 9 * PERIOD_S, speed_px_s=0.0)
    found = lag_us(car, stills, glimpses(0.0, speed_px_s=0.0))
    assert found is not None
    assert abs(found) <= 2


def test_another_view_is_no_match() -> None:
    car, stills = seen(5 * PERIOD_S, 9 * PERIOD_S)
    mirrored = [one._replace(grey=np.ascontiguousarray(one.grey[:, ::-1])) for one in glimpses(0.0)]
    assert lag_us(car, stills, mirrored) is None


def test_a_stream_that_lacks_most_of_the_moments_is_no_match() -> None:
    car, stills = seen(5 * PERIOD_S, 9 * PERIOD_S, 14 * PERIOD_S)
    assert lag_us(car, stills, glimpses(0.0, count=12)) == pytest.approx(0.0, abs=2)
    assert lag_us(car, stills, glimpses(0.0, count=7)) is None
    assert lag_us(car, stills, []) is None
