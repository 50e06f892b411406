from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devices.camera.red_light.one_vehicle import seen_through
from tests.devices.camera.red_light.junction import FRAME_S, point

if TYPE_CHECKING:
    from devices.camera.track import TrackPoint

RUNNING = [point(index * FRAME_S, 12.0 * index * FRAME_S) for index in range(45)]


def hidden(first_s: float, last_s: float, moved_m: float = 0.0, *, across_m: float = 0.0) -> list[TrackPoint]:
    """A runner who was merged for a while, and came out further on, or further across, than it would have been."""
    return [
        one
        if one.presentation_us <= first_s * 1e6
        else one._replace(y_m=one.y_m + moved_m, x_m=one.x_m + across_m, is_whole=one.presentation_us >= last_s * 1e6)
        for one in RUNNING
    ]


@pytest.mark.parametrize(
    ("points", "is_one"),
    [
        (hidden(1.0, 1.0), True),
        (hidden(1.0, 1.7), True),
        (hidden(1.0, 1.9), False),
        (hidden(1.0, 1.3, 1.4), True),
        (hidden(1.0, 1.3, 2.0), False),
        (hidden(1.0, 1.3, -2.0), False),
        (hidden(1.0, 1.15, 3.0), False),
        (hidden(1.0, 1.2, across_m=0.9), True),
        (hidden(1.0, 1.2, across_m=1.1), False),
        (hidden(0.15, 0.3), False),  # no speed is known yet
    ],
)
def test_who_comes_out_where_it_must_be_by_its_speed_is_the_same_vehicle(
    points: list[TrackPoint], *, is_one: bool
) -> None:
    seen = seen_through(points)
    assert seen[-1] == points[-1]
    assert all(one.is_whole for one in seen)
    assert (seen[0] == points[0]) is is_one


def test_one_that_waited_is_not_the_one_that_passed_it() -> None:
    waiting = [point(index * FRAME_S, 10.0) for index in range(30)]
    merged = [point((30 + index) * FRAME_S, 12.0, is_whole=False) for index in range(6)]
    passing = [point((36 + index) * FRAME_S, 14.0 + 10.0 * index * FRAME_S) for index in range(10)]
    assert seen_through([*waiting, *merged, *passing]) == passing
    starting = [one._replace(y_m=10.0 + 1.0 * index * FRAME_S) for index, one in enumerate(passing)]
    assert len(seen_through([*waiting, *merged, *starting])) == 40


def test_frames_that_are_missing_may_be_few() -> None:
    assert len(seen_through([*RUNNING[:20], *RUNNING[25:]])) == 40
    assert len(seen_through([*RUNNING[:20], *RUNNING[27:]])) == 18
