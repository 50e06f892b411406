from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from devices.camera.calibration.lanes import Lane
from devices.camera.exhibits import SUSPECTS_MAX, Exhibits
from devices.camera.frame_shelf import FrameShelf
from devices.camera.pipeline import Suspect
from devices.camera.source.errors import SourceError
from devices.camera.stream_match import Glimpse
from devices.camera.track import Box
from tests.devices.camera.making import SECOND_US, UTC_US, frame, point, track

if TYPE_CHECKING:
    from devices.camera.exhibits import Exhibit
    from devices.camera.frame import Frame, Image
    from devices.camera.source.main_stream import MainStream


def road(at_s: float) -> Image:
    """Nothing on it looks the same a fifth of a second later."""
    cells = np.random.default_rng(round(at_s * 5) + 1000).integers(0, 255, (9, 16, 1), np.uint8).repeat(3, axis=2)
    return np.kron(cells, np.ones((4, 4, 1), np.uint8))


def shelf(seconds: int = 5, *, every_s: float = 0.2) -> FrameShelf:
    made = FrameShelf()
    for index in range(round(seconds / every_s)):
        made.put(frame(index * every_s, image=road(index * every_s)))
    return made


def suspect(number: int = 1, *moments_s: float) -> Suspect:
    """A vehicle that comes nearer for four seconds."""
    points = [point(at / 10, 5, at, Box(0, 0, 20 + at, 10 + at // 2)) for at in range(41)]
    seen = track(number, *points)
    moments_us = tuple(UTC_US + round(at_s * SECOND_US) for at_s in moments_s or (1.0, 3.0))
    return Suspect(seen, Lane("1"), moments_us, (seen,))


class Stream:
    """A main stream of twice the size: shows what the shelf does, `lag_s` later by its own time, up to `until_s`."""

    latency_max_us = 300_000

    def __init__(
        self, lag_s: float = 0.0, until_s: float = 99.0, failure: SourceError | None = None, *, is_in_order: bool = True
    ) -> None:
        self._lag_us, self._until_us = round(lag_s * SECOND_US), UTC_US + round(until_s * SECOND_US)
        self._failure, self._is_in_order = failure, is_in_order

    def frame_at(self, utc_us: int) -> Frame | None:
        taken_s = (utc_us - self._lag_us - UTC_US) / SECOND_US
        small = road(taken_s if self._is_in_order else taken_s + 0.2)
        return frame(taken_s, image=np.kron(small, np.ones((2, 2, 1), np.uint8)), step_s=self._lag_us / SECOND_US)

    def glimpses(self, first_us: int, last_us: int, size: tuple[int, int]) -> list[Glimpse]:
        if self._failure:
            raise self._failure
        assert size == (64, 36)
        times = range(first_us + (self._lag_us - first_us) % 200_000, min(last_us, self._until_us) + 1, 200_000)
        return [Glimpse(at, road((at - self._lag_us - UTC_US) / SECOND_US)[..., 0]) for at in times]


def exhibit(stream: Stream) -> tuple[Exhibits, Exhibit]:
    exhibits = Exhibits(shelf(), cast("MainStream", stream))
    return exhibits, exhibits.of(suspect()).result(5)


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


@pytest.mark.parametrize("lag_s", [0.0, 0.2, -0.2])
def test_pictures_are_those_of_the_main_stream_by_the_small_ones_times(lag_s: float) -> None:
    exhibits, found = exhibit(Stream(lag_s))
    assert exhibits.doubt == ""
    for still in (*found.moments, *found.plates):
        image = still.image()
        assert image.shape == (72, 128, 3)
        shown = np.kron(road((still.utc_us - UTC_US) / SECOND_US), np.ones((2, 2, 1)))
        assert np.abs(image - shown).mean() < 5, "it is of that moment"
    assert [one.presentation_us for one in found.moments] == [one.utc_us - UTC_US for one in found.moments]
    assert [(one.utc_us - UTC_US) / SECOND_US for one in found.moments] == [1.0, 3.0]


def test_pictures_are_all_small_where_the_main_stream_lacks_one_and_it_is_told() -> None:
    for stream, doubt in (
        (Stream(until_s=2.0), "did not show"),
        (Stream(until_s=-2.0), "had no usable pictures"),
        (Stream(failure=SourceError("it hangs")), ""),
        (Stream(is_in_order=False), "had no usable pictures"),
    ):
        exhibits, found = exhibit(stream)
        assert {one.image().shape for one in (*found.moments, *found.plates)} == {(36, 64, 3)}
        assert doubt in exhibits.doubt


def test_finding_pictures_is_done_elsewhere() -> None:
    assert isinstance(Exhibits(shelf(), None).of(suspect()), Future)
