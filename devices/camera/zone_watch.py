"""When a vehicle has left a lane's speed zone, so that its speed can be measured over all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from devices.camera.calibration.lanes import Lane
    from devices.camera.track import Track, TrackPoint
    from devices.camera.vehicles.seen import Seen

    Zone = np.ndarray[tuple[int, ...], np.dtype[np.float32]]

LEFT_POINTS = 3
"""A contact point that jumps out of the zone for a frame or two has not left it."""


class Passed(NamedTuple):
    """A vehicle has passed a lane's zone: its first and its last point in it."""

    track: Track
    lane: str
    first: TrackPoint
    last: TrackPoint


class ZoneWatch:
    """Follows live tracks through the lanes' zones; tells each pair of track and lane once."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._zones = {lane.id: np.array(lane.speed_zone, np.float32) for lane in lanes if lane.speed_zone}
        self._inside: dict[tuple[int, str], tuple[TrackPoint, TrackPoint]] = {}
        self._known: set[int] = set()

    def take(self, seen: Seen) -> list[Passed]:
        """Who has left a zone with this frame, or was lost in it."""
        passed = []
        for track in seen.live:
            # What becomes a vehicle only now may have passed a zone before.
            new = track.points[-1:] if track.number in self._known else track.points
            self._known.add(track.number)
            for lane, zone in self._zones.items():
                if self._has_left(track, new, lane, zone):
                    passed.append(Passed(track, lane, *self._inside.pop((track.number, lane))))
        for track in seen.ended:
            self._known.discard(track.number)
            for lane in self._zones:
                inside = self._inside.pop((track.number, lane), None)
                if inside is not None:
                    passed.append(Passed(track, lane, *inside))
        return passed

    def _has_left(self, track: Track, new: Sequence[TrackPoint], lane: str, zone: Zone) -> bool:
        key = track.number, lane
        for point in new:
            if cv2.pointPolygonTest(zone, (point.u_px, point.v_px), measureDist=False) >= 0:
                first, _ = self._inside.get(key, (point, point))
                self._inside[key] = (first, point)
        if key not in self._inside or len(track.points) <= LEFT_POINTS:
            return False
        return track.points[-LEFT_POINTS].presentation_us > self._inside[key][1].presentation_us
