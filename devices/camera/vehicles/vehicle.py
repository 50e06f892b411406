"""One vehicle that is followed: what is known of it beside its track."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from devices.camera.track import Box, Track, TrackPoint, VehicleClass
from devices.camera.vehicles.crossings import LineWatch, Passed, Place, RoadLine
from devices.camera.vehicles.expected import Expected
from devices.camera.vehicles.extent import Extent
from devices.camera.vehicles.kalman import Motion
from devices.camera.vehicles.size_class import SizeClass

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Frame
    from devices.camera.vehicles.segment import Segment
    from devices.camera.vehicles.sighting import Sighting
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]

POINTS_MAX = 4_000
"""Beyond it every other of the older points goes: a vehicle that stands for minutes says the same again and again."""
GATE = 16.0
"""Squared Mahalanobis distance: 0.9997 of a chi-squared with two degrees of freedom."""
_SEEN_MIN = 3
_MOVED_MIN_M = 2.0
_SPEED_DEVIATION_M_S = 12.0
_TOUCHING_M = 3.0
_DOUBLE_OVERLAP = 0.6
_AHEAD_S = 0.1
_NEAR_M = 5.0
_HIDDEN_MAX_M = 15.0
"""What is behind a lorry or a bus moves no farther unseen."""
_LIFE_MIN_US, _UNSEEN_LIFE_MIN_US = 330_000, 500_000
"""Parts of vehicles, and light on the road, are seldom followed for longer; the latter bound is for what is counted
without having been seen to pass a line."""
_REACH_M = 3.5
"""From one vehicle's nearer end to that of the next one before it in its lane, at least."""
_LENGTHS_M, _LENGTH_M = {VehicleClass.TWO_WHEELED: 3.5, VehicleClass.HEAVY: 8.0}, 4.5
"""The same to the next one beyond it: its length, and some air. So near, and nearer, parts of itself are seen."""
_LATELY_US = 1_000_000
"""Where a car is that was not seen for longer is not known so well that a whole length of it keeps others off."""
_HEADWAY_S = 0.5
"""The same at speed: nobody follows nearer."""
_HIDDEN_SHARE = 0.3
_REVEALED_PX = 12.0
_SURE_DEVIATIONS = 2.0
_SIZE_GAIN = 0.25
_LAMPS_APART_M = 2.5
"""Between two vehicles' lamps, at least."""


class Followed:
    """A vehicle, or what may become one: it is one once it has been seen thrice, for a while, and has moved."""

    def __init__(self, track: Track, seen: Sighting, lines: tuple[RoadLine, ...], *, was_hidden: bool) -> None:
        self.track = track
        self.motion = Motion.at(seen.place, seen.spread, np.eye(2) * _SPEED_DEVIATION_M_S**2)
        self.predicted = self.motion
        self.last_extent = seen.segment.extent
        self.is_vehicle = False
        self.stands = False
        self.is_leaving = False
        self.seen_us = self._placed_us = 0
        self.moved_us = 0
        self.passed = 0
        self.counted: set[str] = set()
        self._unsaid: list[Passed] = []
        self._came_unseen = was_hidden
        self.last_contact = seen.contact
        self._extent = seen.segment.extent
        self._apart = self.shone = 0
        self._contact_column = float(seen.contact[0])
        self._front_px = seen.segment.front[1] - seen.segment.front[0]
        self._rest_place = self._born = seen.place
        self._born_us = 0
        self._size: Array | None = None
        self._size_class = SizeClass()
        self._watch = LineWatch(lines)

    @property
    def heading(self) -> Array | None:
        """Its way on the road (2,), metres a second; None while it is not known."""
        speed, deviation = self.motion.speed
        return self.motion.velocity if speed > _SURE_DEVIATIONS * deviation else None

    @property
    def has_shone(self) -> bool:
        """Whether its lamps were seen."""
        return self.shone >= _SEEN_MIN

    @property
    def expected(self) -> Expected:
        """Where it should be seen now."""
        contact = np.array([self._contact_column, self._extent.bottom])
        return Expected(self._extent, self._apart >= _SEEN_MIN, contact, self._front_px, self.has_shone)

    def predict(self, now_us: int, view: View) -> None:
        """Where it should be at a presentation time, that of the newest frame."""
        elapsed_s = (now_us - self._placed_us) / 1e6
        self._placed_us = now_us
        if not self.stands:
            return
        self.predicted = self.motion.after(elapsed_s)
        self._extent = self._extent_at(view.image(self.predicted.place)[0], view)

    def _extent_at(self, contact: Array, view: View) -> Extent:
        if self._size is None or not np.isfinite(contact).all():
            return self._extent
        left, right, top, self._front_px = self._size * view.pixels_by_metre(contact)
        self._contact_column = float(contact[0])
        return Extent(contact[0] - left, contact[1] - top, contact[0] + right, contact[1])

    def coast(self) -> None:
        """It was not seen in this frame."""
        self.motion = self.predicted
        self.last_extent, self.last_contact = self._extent, self.expected.contact

    def is_double_of(self, other: Followed) -> bool:
        """Whether both stand nearer to each other than two vehicles can."""
        apart_m = float(np.linalg.norm(self.motion.place - other.motion.place))
        return apart_m < _TOUCHING_M and self._extent.overlap(other._extent) > _DOUBLE_OVERLAP

    def cost(self, seen: Sighting, index: int) -> float:
        """How ill `seen` fits it, the one of this index: below `GATE` for all but one in 3,000 of its own."""
        if seen.segment.is_hidden_below:
            return 1.0 if seen.segment.expected == index else 2 * GATE
        if self.stands and not seen.segment.is_cut:
            if self.is_leaving and not seen.segment.is_by_lamps:
                return 2 * GATE
            unlike = self.predicted.distance(seen.place, seen.spread)
            return min(unlike, self._unlike_by_lamps(seen)) if seen.segment.is_by_lamps else unlike
        return self._unlike_by_extent(seen)

    def _unlike_by_lamps(self, seen: Sighting) -> float:
        """No other's lamps can be as near; and who was seen without any may be the upper part of who has these."""
        apart = float(np.linalg.norm(seen.place - self.predicted.place)) / _LAMPS_APART_M
        return GATE * apart if self.has_shone else min(GATE * apart, self._unlike_by_extent(seen))

    def _unlike_by_extent(self, seen: Sighting) -> float:
        return GATE * (1.0 - self._extent.overlap(seen.segment.extent)) * 1.2

    def see(self, frame: Frame, seen: Sighting, view: View) -> list[Passed]:
        """It was seen in `frame`; gives the lines that it has passed, once it is known to be a vehicle."""
        segment = seen.segment
        self.seen_us = self._placed_us = frame.presentation_us
        self._add_point(frame, seen, view)
        self.is_leaving = self.is_vehicle and segment.is_cut
        if segment.is_cut and not self.is_vehicle:
            self.stands = False
            self._extent = self.last_extent = segment.extent
            return []
        if seen.tells_place:
            self._move_to(seen, view)
        else:
            self.coast()
        if not segment.is_cut:
            self._learn(seen, view)
            self._note_movement(frame.presentation_us)
        x_m, y_m = self.motion.place.tolist()
        self._unsaid += self._watch.take(Place(frame.presentation_us, frame.utc_us, frame.utc_error_us, x_m, y_m))
        if not self.is_vehicle:
            return []
        if self._came_unseen and self.seen_us - self._born_us > _UNSEEN_LIFE_MIN_US:
            if self.is_approaching(view):
                self._unsaid += self._watch.passed_unseen(self.motion.velocity)
            self._came_unseen = False
        passed, self._unsaid = self._unsaid, []
        self.passed += len(passed)
        return passed

    def _move_to(self, seen: Sighting, view: View) -> None:
        if self.stands and seen.segment.is_by_lamps and self.predicted.distance(seen.place, seen.spread) > GATE:
            self.motion = self.predicted.moved_to(seen.place, seen.spread)
        elif self.stands:
            self.motion = self.predicted.corrected(seen.place, seen.spread)
        else:
            self.motion = Motion.at(seen.place, seen.spread, np.eye(2) * _SPEED_DEVIATION_M_S**2)
            self._rest_place = self._born = seen.place
            self._born_us = self.seen_us
            self.stands = True
        self.last_contact = view.image(self.motion.place)[0]
        self.last_extent = self._extent_at(self.last_contact, view)

    def _learn(self, seen: Sighting, view: View) -> None:
        if not seen.segment.is_hidden_below:
            self._apart += 1
            self.shone += seen.segment.is_by_lamps
            self._learn_size(seen.segment, seen.contact, view)
            self.last_extent = self._extent_at(self.last_contact, view)
        if seen.is_whole:
            self.track.vehicle = self._size_class.take(seen.segment, view)

    def refuse(self, passed: Passed) -> None:
        """It did not pass that line, as another vehicle was there."""
        self.passed -= 1
        self._watch.refuse(passed)

    def is_approaching(self, view: View) -> bool:
        """Whether it comes towards the camera: down the image."""
        before, after = view.image([self.motion.place, self.motion.place + _AHEAD_S * self.motion.velocity])
        return bool(after[1] > before[1])

    def has_gone(self, view: View) -> bool:
        """Whether it has left the frame by its lower edge."""
        return self.is_leaving and self._extent.top >= view.height_px - 1

    def hides(self, extent: Extent) -> bool:
        """Whether what is now seen at `extent` was behind it."""
        last = self.last_extent
        abreast = min(last.right, extent.right) - max(last.left, extent.left)
        return last.top - _REVEALED_PX < extent.bottom < last.bottom and abreast > _HIDDEN_SHARE * extent.width

    def covers(self, place: Array, now_us: int, view: View) -> bool:
        """Whether no other vehicle's nearer end can be at `place` (2,), metres, now: a lorry lies beyond its own."""
        own, other = view.image([self.motion.place, place])
        length_m = _LENGTHS_M.get(self.track.vehicle, _LENGTH_M if now_us - self.seen_us < _LATELY_US else _REACH_M)
        reach_m = length_m if other[1] < own[1] else _REACH_M
        return self._distance(place, now_us) < max(reach_m, _HEADWAY_S * self.motion.speed[0])

    def is_near(self, place: Array, now_us: int) -> bool:
        """Whether a vehicle would be about there now, had it gone on as it did when it was last seen."""
        return self.is_vehicle and self._distance(place, now_us) < _NEAR_M

    def may_have_come_to(self, place: Array) -> bool:
        """Whether it can be at `place` (2,), metres, some time after it was last seen: not far back, nor far on."""
        speed = self.motion.speed[0]
        on_m = float((place - self.motion.place) @ self.motion.velocity) / speed if speed > 0.0 else 0.0
        return -_NEAR_M < on_m < _HIDDEN_MAX_M and float(np.linalg.norm(place - self.motion.place)) < _HIDDEN_MAX_M

    def _distance(self, place: Array, now_us: int) -> float:
        since_s = (now_us - self._placed_us) / 1e6
        return float(np.linalg.norm(self.motion.place + since_s * self.motion.velocity - place))

    def _learn_size(self, segment: Segment, contact: Array, view: View) -> None:
        """Pixels to the left, to the right and up from the contact point, and of the front, by pixels a metre there."""
        extent, (front_left, front_right) = segment.extent, segment.front
        size = (contact[0] - extent.left, extent.right - contact[0], contact[1] - extent.top, front_right - front_left)
        seen = np.array(size) / view.pixels_by_metre(contact)
        self._size = seen if self._size is None else self._size + _SIZE_GAIN * (seen - self._size)

    def _note_movement(self, now_us: int) -> None:
        if np.linalg.norm(self.motion.place - self._rest_place) > 1.0:
            self._rest_place, self.moved_us = self.motion.place, now_us
        if now_us - self._born_us < _LIFE_MIN_US:
            return
        if self._apart >= _SEEN_MIN and np.linalg.norm(self.motion.place - self._born) > _MOVED_MIN_M:
            self.is_vehicle |= self.heading is not None

    def _add_point(self, frame: Frame, seen: Sighting, view: View) -> None:
        if len(self.track.points) >= POINTS_MAX:
            del self.track.points[: POINTS_MAX // 2 : 2]
        u_px, v_px = (seen.contact * view.to_frame).tolist()
        x_m, y_m = seen.place.tolist()
        across, down = view.to_frame
        left, top, right, bottom = seen.segment.extent
        box = Box(round(left * across), round(top * down), round(right * across), round(bottom * down))
        times = (frame.presentation_us, frame.utc_us, frame.utc_error_us)
        self.track.points.append(TrackPoint(*times, x_m, y_m, u_px, v_px, box, seen.is_whole))
