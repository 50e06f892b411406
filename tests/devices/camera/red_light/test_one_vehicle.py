from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devices.camera.red_light.one_vehicle import seen_through
from tests.devices.camera.red_light.junction import FRAME_S, point

if TYPE_CHECKING:
    from devices.camera.track import TrackPoint

RUNNING = [point(index * FRAME_S, 12.0 * index * FRAME_S) for index in range(45)]


def hidden(
    first_s: float, last_s: float, moved_m: float = 0.0, *, across_m: float = 0.0, merged_m: float = 50.0
) -> list[TrackPoint]:
    """A runner who was merged for a while, and came out further on, or further across, than it would have been.

    `merged_m`: how far off its contact point was meanwhile.
    """
    points = [
        one
        if one.presentation_us <= first_s * 1e6
        else one._replace(y_m=one.y_m + moved_m, x_m=one.x_m + across_m, is_whole=one.presentation_us >= last_s * 1e6)
        for one in RUNNING
    ]
    return [one if one.is_whole else one._replace(y_m=one.y_m + merged_m) for one in points]


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
        (hidden(1.0, 2.5), False),
        (hidden(1.0, 2.5, merged_m=1.0), True),
        (hidden(1.0, 9.9, merged_m=1.0), True),
    ],
)
def test_who_comes_out_where_it_must_be_by_its_speed_is_the_same_vehicle(
    points: list[TrackPoint], *, is_one: bool
) -> None:
    seen = seen_through(points)
    assert seen[-1] == points[-1]
    assert (seen[0] == points[0]) is is_one


def test_one_that_waited_is_not_the_one_that_passed_it() -> None:
    waiting = [point(index * FRAME_S, 10.0) for index in range(30)]
    merged = [point((30 + index) * FRAME_S, 12.0, is_whole=False) for index in range(6)]
    passing = [point((36 + index) * FRAME_S, 14.0 + 10.0 * index * FRAME_S) for index in range(10)]
    assert seen_through([*waiting, *merged, *passing]) == passing
    starting = [one._replace(y_m=10.0 + 1.0 * index * FRAME_S) for index, one in enumerate(passing)]
    assert len(seen_through([*waiting, *merged, *starting])) == 40


def test_merged_with_another_a_vehicle_that_stands_is_any_that_stands_there() -> None:
    standing = [point(index * FRAME_S, 10.0, is_whole=not 20 <= index < 40) for index in range(60)]
    assert seen_through(standing) == standing[40:]


def test_what_ends_in_doubt_is_of_nobody() -> None:
    assert seen_through(hidden(1.0, 9.9)) == []
    assert seen_through([]) == []


def test_frames_that_are_missing_may_be_few() -> None:
    assert len(seen_through([*RUNNING[:20], *RUNNING[30:]])) == 35
    assert len(seen_through([*RUNNING[:20], *RUNNING[33:]])) == 12
