"""Which pictures of a camera's large stream show the moments of its small one.

A stream's UTC is known no better than how long its pictures are on their way, and large ones take longer to encode: of
half a second a car makes ten metres. But both streams show the same road, so one lag between their times is the true
one: that at which the vehicle looks the same in all pictures of it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from devices.camera.pictures.boxes import boxes_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.frame import Image
    from devices.camera.frame_shelf import Still
    from devices.camera.track import Box, Track

SAME_MIN = 0.8
"""Correlation of grey levels at and around a vehicle: another moment, or another view, is below."""
NEAREST_US = 70_000
"""A picture that is further from a moment is none of it; half the time between pictures of seven a second."""
_ALIKE = 0.01
_MARGIN_SHARE = 0.25
_SIDE_PX_MIN = 8


class Glimpse(NamedTuple):
    """A picture of the large stream in grey, as small as those of the small one, and its time by its own stream."""

    utc_us: int
    grey: Image


def glimpse(image: Image, utc_us: int, size: tuple[int, int]) -> Glimpse:
    """Of a picture of the large stream, `size` (width, height) large."""
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return Glimpse(utc_us, cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False))


class _Cutting(NamedTuple):
    """A vehicle with what is around it, in grey, and where it was cut from."""

    utc_us: int
    rows: slice
    columns: slice
    grey: Image


def lag_us(track: Track, stills: Sequence[Still], glimpses: Sequence[Glimpse]) -> int | None:
    """By how much the large stream's time of one moment is after the small one's; None if it does not show the same.

    `stills` are pictures of the small stream with the track's vehicle in them; half of them are enough, as any stream
    loses pictures.
    """
    cuttings = [one for still in stills if (one := _cutting(track, still)) is not None]
    if not cuttings or not glimpses:
        return None
    times = np.array([one.utc_us for one in glimpses])

    @cache
    def likeness(of: int, nearest: int) -> float:
        cut = cuttings[of]
        return _correlation(cut.grey, glimpses[nearest].grey[cut.rows, cut.columns])

    def score(lag: int) -> float:
        nearest = [int(np.argmin(np.abs(times - (cut.utc_us + lag)))) for cut in cuttings]
        shown = [
            likeness(of, at)
            for of, (cut, at) in enumerate(zip(cuttings, nearest, strict=True))
            if abs(int(times[at]) - cut.utc_us - lag) <= NEAREST_US
        ]
        return float(np.mean(shown)) if 2 * len(shown) >= len(cuttings) else 0.0

    scores = {lag: score(lag) for lag in (one.utc_us - cuttings[0].utc_us for one in glimpses)}
    best = max(scores.values())
    # A vehicle that stands looks the same for long.
    return min((lag for lag, one in scores.items() if one >= best - _ALIKE), key=abs) if best >= SAME_MIN else None


def _cutting(track: Track, still: Still) -> _Cutting | None:
    box = boxes_at([track], still.utc_us, (1.0, 1.0)).get(track.number)
    if box is None:
        return None
    grey = cv2.cvtColor(still.image(), cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    rows, columns = _around(box)
    cut = grey[rows, columns]
    return _Cutting(still.utc_us, rows, columns, cut) if min(cut.shape) >= _SIDE_PX_MIN else None


def _around(box: Box) -> tuple[slice, slice]:
    x_px, y_px = (round(_MARGIN_SHARE * side) for side in (box.right - box.left, box.bottom - box.top))
    return slice(max(0, box.top - y_px), box.bottom + y_px), slice(max(0, box.left - x_px), box.right + x_px)


def _correlation(one: Image, other: Image) -> float:
    """From -1 to 1; 0 where either is all of one grey."""
    if one.shape != other.shape:
        return 0.0
    found = float(cv2.matchTemplate(one, other, cv2.TM_CCOEFF_NORMED)[0, 0])
    return found if np.ptp(one) and np.ptp(other) else 0.0
