"""The pictures of suspects, set aside while they may still be needed."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from devices.camera.frame_shelf import Still, still_of
from devices.camera.pictures.boxes import boxes_at
from devices.camera.source.errors import SourceError
from devices.camera.stream_match import glimpse, lag_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from devices.camera.frame import Frame
    from devices.camera.frame_shelf import FrameShelf
    from devices.camera.pipeline import Suspect
    from devices.camera.source.main_stream import MainStream
    from devices.camera.stream_match import Glimpse
    from devices.camera.track import Track

PLATE_STILLS = 5
SUSPECTS_MAX = 16
"""Pictures of more are not set aside, so that they take no more memory than is known: they have to be on the shelf
when it is decided."""

APART_MAX_US = 200_000
"""A picture of the main stream that is further from the moment shows something else."""
NICENESS = 10
_NOTHING = "the main stream had no usable pictures of the last violation, whose evidence is of the small one"
_NOT_THE_SAME = (
    "the main stream did not show what the small one did of the last violation, whose evidence is of the small one; "
    "see that both are of one camera, and of one field of view"
)


class Exhibit(NamedTuple):
    """`moments` show what happened, `plates` show the vehicle at its largest; each in order of time."""

    suspect: Suspect
    moments: tuple[Still, ...]
    plates: tuple[Still, ...]


class Exhibits:
    """Takes pictures as soon as somebody is suspected, and forgets them with the suspicion.

    They are those of `main`, where there is such a stream and it has all of them, else those on the shelf. Finding
    them may take seconds of work, so that it is done in a thread of its own, which gives way to the others.
    """

    def __init__(self, shelf: FrameShelf, main: MainStream | None) -> None:
        self._shelf, self._main = shelf, main
        self._set_aside: dict[tuple[int, str, tuple[int, ...]], Future[Exhibit]] = {}
        self._finder = ThreadPoolExecutor(1, "exhibits", give_way)
        self.doubt = ""
        """Why the last pictures are small, though there is a main stream; empty if they are not."""

    def keep(self, suspects: Iterable[Suspect]) -> None:
        """Who is suspected now."""
        suspected = {one.key: one for one in suspects}
        kept = {key: one for key, one in self._set_aside.items() if key in suspected}
        for key, suspect in suspected.items():
            if key not in kept and len(kept) < SUSPECTS_MAX:
                kept[key] = self._finder.submit(self._exhibit, suspect)
        self._set_aside = kept

    def of(self, suspect: Suspect) -> Future[Exhibit]:
        """What was set aside of a suspect, or can be found now; `moments` is empty where not all of them are left."""
        return self._set_aside.get(suspect.key) or self._finder.submit(self._exhibit, suspect)

    def _exhibit(self, suspect: Suspect) -> Exhibit:
        epoch, points = suspect.track.epoch, suspect.track.points
        seen = self._shelf.between(epoch, points[0].utc_us, points[-1].utc_us)
        largest = sorted(seen, key=lambda one: _area(suspect.track, one), reverse=True)[:PLATE_STILLS]
        plates = tuple(sorted(largest, key=lambda one: one.utc_us))
        moments = self._shelf.nearest(epoch, suspect.moments_us)
        small = Exhibit(suspect, moments, plates)
        if self._main is None or not moments:
            return small
        try:
            return self._enlarged(small, self._main)
        except SourceError:
            return small  # told as an impairment where the stream is watched

    def _enlarged(self, small: Exhibit, main: MainStream) -> Exhibit:
        """The same of the main stream, or of the small one where that does not show the same: all of one or all."""
        stills = sorted({*small.moments, *small.plates}, key=lambda one: one.utc_us)
        # What the main stream shows of the last moment may still be on its way.
        due_us = max(one.arrival_us for one in stills) + main.latency_max_us
        time.sleep(max(0, due_us - time.monotonic_ns() // 1000) / 1_000_000)
        height, width = stills[0].image().shape[:2]
        first_us, last_us = stills[0].utc_us - main.latency_max_us, stills[-1].utc_us + main.latency_max_us
        glimpses = main.glimpses(first_us, last_us, (width, height))
        lag = lag_us(small.suspect.track, stills, glimpses)
        if lag is None:
            self.doubt = _NOT_THE_SAME if glimpses else _NOTHING
            return small
        seen = {one.utc_us: one for one in glimpses}
        large = {one: _large(one, main.frame_at(one.utc_us + lag), lag, seen) for one in stills}
        moments = tuple(found for one in small.moments if (found := large[one]))
        if len(moments) < len(small.moments):
            self.doubt = _NOTHING
            return small
        self.doubt = ""
        return small._replace(moments=moments, plates=tuple(found for one in small.plates if (found := large[one])))


def _large(still: Still, frame: Frame | None, lag: int, seen: Mapping[int, Glimpse]) -> Still | None:
    """A frame of the main stream by the small one's times; None if it is far off, or not what was seen at its time."""
    if frame is None or abs(frame.utc_us - lag - still.utc_us) > APART_MAX_US or frame.utc_us not in seen:
        return None
    before = seen[frame.utc_us].grey
    height, width = before.shape
    # Pictures that come in another order than they are taken would have each other's times.
    if not np.array_equal(glimpse(frame.image, frame.utc_us, (width, height)).grey, before):
        return None
    later_us = frame.utc_us - lag - still.utc_us
    times = still.presentation_us + later_us, still.utc_us + later_us, still.arrival_us + later_us
    return Still(still_of(frame).jpeg, *times, still.epoch)


def give_way() -> None:
    """Let other threads go first, this one alone (setpriority(2), "C library/kernel differences")."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _area(track: Track, still: Still) -> int:
    box = boxes_at([track], still.utc_us, (1.0, 1.0))[track.number]
    return (box.right - box.left) * (box.bottom - box.top)
