"""The pictures of suspects, set aside while they may still be needed."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from devices.camera.frame_shelf import still_of
from devices.camera.pictures.boxes import boxes_at
from devices.camera.source.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devices.camera.frame_shelf import FrameShelf, Still
    from devices.camera.pipeline import Suspect
    from devices.camera.source.main_stream import MainStream
    from devices.camera.track import Track

PLATE_STILLS = 5
SUSPECTS_MAX = 16
"""Pictures of more are not set aside, so that they take no more memory than is known: they have to be on the shelf
when it is decided."""

APART_MAX_US = 200_000
"""A picture of the main stream that is further from the moment shows something else."""
NICENESS = 10


class Exhibit(NamedTuple):
    """`moments` show what happened, `plates` show the vehicle at its largest; each in order of time."""

    suspect: Suspect
    moments: tuple[Still, ...]
    plates: tuple[Still, ...]


class Exhibits:
    """Takes pictures as soon as somebody is suspected, and forgets them with the suspicion.

    They are those of `main`, where there is such a stream and it has them, else those on the shelf. Finding them may
    take seconds of work, so that it is done in a thread of its own, which gives way to the others.
    """

    def __init__(self, shelf: FrameShelf, main: MainStream | None) -> None:
        self._shelf, self._main = shelf, main
        self._set_aside: dict[tuple[int, str, tuple[int, ...]], Future[Exhibit]] = {}
        self._finder = ThreadPoolExecutor(1, "exhibits", give_way)

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
        points = suspect.track.points
        seen = self._shelf.between(points[0].utc_us, points[-1].utc_us)
        largest = sorted(seen, key=lambda one: _area(suspect.track, one), reverse=True)[:PLATE_STILLS]
        plates = tuple(sorted(largest, key=lambda one: one.utc_us))
        moments = self._shelf.nearest(suspect.moments_us)
        return Exhibit(suspect, *(tuple(map(self._enlarged, stills)) for stills in (moments, plates)))

    def _enlarged(self, still: Still) -> Still:
        if self._main is None:
            return still
        try:
            frame = self._main.frame_at(still.utc_us)
        except SourceError:
            return still  # told as an impairment where the stream is watched
        if frame is None or abs(frame.utc_us - still.utc_us) > APART_MAX_US:
            return still
        return still_of(frame)


def give_way() -> None:
    """Let other threads go first, this one alone (setpriority(2), "C library/kernel differences")."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _area(track: Track, still: Still) -> int:
    box = boxes_at([track], still.utc_us, (1.0, 1.0))[track.number]
    return (box.right - box.left) * (box.bottom - box.top)
