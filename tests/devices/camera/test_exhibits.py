from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, cast

import numpy as np

from devices.camera.calibration.lanes import Lane
from devices.camera.exhibits import SUSPECTS_MAX, Exhibits
from devices.camera.frame_shelf import FrameShelf
from devices.camera.pipeline import Suspect
from devices.camera.source.errors import SourceError
from devices.camera.track import Box
from tests.devices.camera.making import SECOND_US, UTC_US, frame, point, track

if TYPE_CHECKING:
    from devices.camera.frame import Frame
    from devices.camera.source.main_stream import MainStream

LARGE = np.full((72, 128, 3), 200, np.uint8)


def shelf(seconds: int = 5, *, every_s: float = 0.2) -> FrameShelf:
    made = FrameShelf()
    for index in range(round(seconds / every_s)):
        made.put(frame(index * every_s))
    return made


def suspect(number: int = 1, *moments_s: float) -> Suspect:
    """A vehicle that comes nearer for four seconds."""
    points = [point(at / 10, 5, at, Box(0, 0, 1 + at, 1 + at)) for at in range(41)]
    seen = track(number, *points)
    moments_us = tuple(UTC_US + round(at_s * SECOND_US) for at_s in moments_s or (1.0, 3.0))
    return Suspect(seen, Lane("1"), moments_us, (seen,))


class Stream:
    """A main stream that has what a test says."""

    def __init__(self, found: Frame | SourceError | None) -> None:
        self._found = found

    def frame_at(self, _utc_us: int) -> Frame | None:
        if isinstance(self._found, SourceError):
            raise self._found
        return self._found


def main_stream(found: Frame | SourceError | None) -> MainStream:
    return cast("MainStream", Stream(found))


def test_the_moments_are_shown_and_the_plate_where_the_vehicle_is_largest() -> None:
    exhibit = Exhibits(shelf(), None).of(suspect()).result(5)
    assert [(one.utc_us - UTC_US) / SECOND_US for one in exhibit.moments] == [1.0, 3.0]
    assert [(one.utc_us - UTC_US) / SECOND_US for one in exhibit.plates] == [3.2, 3.4, 3.6, 3.8, 4.0]


def test_a_suspects_pictures_outlive_the_shelf() -> None:
    pictures = shelf()
    exhibits = Exhibits(pictures, None)
    exhibits.keep([suspect()])
    exhibits.of(suspect()).result(5)
    for second in range(30):
        pictures.put(frame(100 + second))
    exhibits.keep([suspect()])
    assert len(exhibits.of(suspect()).result(5).moments) == 2
    exhibits.keep([])
    assert exhibits.of(suspect()).result(5).moments == ()


def test_one_who_speeds_and_runs_the_red_light_is_shown_doing_each() -> None:
    exhibits = Exhibits(shelf(), None)
    ran_red, sped = suspect(1, 2.0, 3.0), suspect(1, 0.4, 4.0)
    exhibits.keep([ran_red])
    assert exhibits.of(ran_red).result(5).moments[0].utc_us == UTC_US + 2 * SECOND_US
    assert exhibits.of(sped).result(5).moments[0].utc_us == UTC_US + 400_000


def test_no_more_pictures_are_set_aside_than_there_is_memory_for() -> None:
    exhibits = Exhibits(shelf(), None)
    exhibits.keep([suspect(number) for number in range(1, 2 * SUSPECTS_MAX)])
    assert len(exhibits._set_aside) == SUSPECTS_MAX


def test_pictures_are_those_of_the_main_stream_where_it_has_them() -> None:
    found = Exhibits(shelf(), main_stream(frame(1.0, image=LARGE))).of(suspect(1, 1.0, 3.0)).result(5)
    assert [one.image().shape[0] for one in found.moments] == [72, 36], "the second is of another moment"
    for nothing in (None, SourceError("it hangs")):
        found = Exhibits(shelf(), main_stream(nothing)).of(suspect()).result(5)
        assert [one.image().shape[0] for one in found.moments] == [36, 36]


def test_finding_pictures_is_done_elsewhere() -> None:
    assert isinstance(Exhibits(shelf(), None).of(suspect()), Future)
