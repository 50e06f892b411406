"""Vehicles in a stream of frames, followed on the road."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from devices.camera.track import Direction, Track
from devices.camera.vehicles.assignment import assigned
from devices.camera.vehicles.contact import contact_point
from devices.camera.vehicles.crossings import road_lines
from devices.camera.vehicles.doubles import doubles
from devices.camera.vehicles.foreground import Foreground
from devices.camera.vehicles.lamps import lamps_in
from devices.camera.vehicles.patches import Patches
from devices.camera.vehicles.seen import Crossing, LaneLine, Seen
from devices.camera.vehicles.segment import FRONT_M
from devices.camera.vehicles.segments import segments_of
from devices.camera.vehicles.sighting import CARRIED_PX, COARSE_PX, DIM_PX, FINE_PX, HIDDEN_PX, Sighting, sighting
from devices.camera.vehicles.starting import Starting
from devices.camera.vehicles.vehicle import GATE, Followed
from devices.camera.vehicles.view import View
from devices.driver import DeviceError

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.calibration.calibration import Calibration
    from devices.camera.frame import Frame
    from devices.camera.vehicles.crossings import Passed
    from devices.camera.vehicles.foreground import Mask
    from devices.camera.vehicles.segment import Segment

    Array = npt.NDArray[np.float64]

_UNSEEN_MAX_US = 1_200_000
_UNCERTAIN_UNSEEN_MAX_US = 400_000
_REMEMBERED_US = 3_000_000
"""What appears where one that was lost should be is that one, and has not come from behind another."""
_HIDDEN_MAX_US = 60_000_000
"""A queue stands so long at a signal."""
_PART_SHARE = 0.5
_LAMPS_ERROR_M, _EDGE_ERROR_PX = 0.3, 1.0
"""How high a vehicle's lamps are is known so well."""
_TRACKS_MAX = 100
_STANDING_MAX_US = 300_000_000
"""A vehicle that stands longer is parked, and part of the view."""


class VehicleTracker:
    """Follows vehicles in the frames of one camera.

    The calibration's frame size is that of the frames (`Calibration.scaled_to`); without a surveyed plane in it,
    vehicles are followed on the nominal one. Not to be called concurrently; does no I/O and reads no clock.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._view = View(calibration)
        self._lines = road_lines(calibration.lanes, self._view)
        self._foreground = Foreground(self._view.width_px, self._view.height_px)
        self._patches = Patches()
        self._starting = Starting()
        self._followed: list[Followed] = []
        self._ended: list[Followed] = []
        self._hidden: list[Followed] = []
        self._last_us = 0
        self._epoch: int | None = None
        self._number = 0

    def take(self, frame: Frame) -> Seen:
        """What `frame` shows. Raises DeviceError when its size is not the calibration's."""
        height, width = frame.image.shape[:2]
        if (width, height) != (self._view.frame_width_px, self._view.frame_height_px):
            raise DeviceError(
                f"the camera's frames are {width}x{height}, the calibration is for "
                f"{self._view.frame_width_px}x{self._view.frame_height_px}; scale it, or calibrate on this stream"
            )
        ended = self._begin_epoch(frame) if frame.epoch != self._epoch else []
        self._last_us = frame.presentation_us
        for one in self._followed:
            one.predict(frame.presentation_us, self._view)
        crossings: list[Crossing] = []
        mask = self._foreground.mask(frame.image, frame.presentation_us)
        self._patches.take(self._foreground.normalised)
        self._starting.take(self._foreground.normalised, frame.presentation_us)
        if mask is None:
            for one in self._followed:
                one.coast()
        else:
            crossings = self._follow(frame, mask)
            self._foreground.learn(self._held(mask.shape, frame.presentation_us), frame.presentation_us)
        ended += self._give_up(frame.presentation_us)
        superfluous = doubles(self._followed)
        self._followed = [one for one in self._followed if one not in superfluous]
        ended += superfluous
        return Seen(
            tuple(one.track for one in self._followed if one.is_vehicle),
            tuple(one.track for one in ended if one.is_vehicle),
            tuple(crossings),
        )

    def _begin_epoch(self, frame: Frame) -> list[Followed]:
        ended, self._followed, self._ended, self._hidden = self._followed, [], [], []
        self._epoch, self._last_us = frame.epoch, frame.presentation_us
        self._foreground.begin_epoch()
        self._starting.begin_epoch()
        return ended

    def _follow(self, frame: Frame, mask: Mask) -> list[Crossing]:
        expected = [one.expected for one in self._followed]
        lamps = lamps_in(self._foreground.image, self._view) if self._foreground.shows_lamps else []
        mask = self._foreground.marked(one.end(self._view) for one in lamps if not one.is_single)
        segments = segments_of(mask, self._foreground.road_seen, self._starting, lamps, expected, self._view)
        seen = [sighting(each, each.foot, COARSE_PX, self._view, is_whole=self._is_whole(each)) for each in segments]
        costs = np.array([[one.cost(each, row) for each in seen] for row, one in enumerate(self._followed)])
        pairs = assigned(costs.reshape(len(self._followed), len(seen)), GATE)
        crossings = []
        for row, column in pairs:
            one = self._followed[row]
            passed = one.see(frame, self._measured(one, seen[column]), self._view)
            crossings += [crossing for each in passed if (crossing := self._crossing(one, each))]
        for row in set(range(len(self._followed))) - {row for row, _ in pairs}:
            self._followed[row].coast()
        for column in set(range(len(seen))) - {column for _, column in pairs}:
            if not seen[column].segment.is_hidden_below:
                self._begin(frame, seen[column])
        return crossings

    def _crossing(self, one: Followed, passed: Passed) -> Crossing | None:
        """None where it is a vehicle, or a part of one, that was counted before."""
        if passed.line is LaneLine.COUNT:
            if self._is_part_of_counted(one, passed.lane, self._last_us):
                one.refuse(passed)
                return None
            one.counted.add(passed.lane)
            if passed.is_unseen and self._comes_back(one, passed.lane):
                return None
        direction = Direction.APPROACHING if one.is_approaching(self._view) else Direction.DEPARTING
        times = (passed.presentation_us, passed.utc_us, passed.utc_error_us)
        return Crossing(one.track, passed.lane, passed.line, direction, *times)

    def _comes_back(self, one: Followed, lane: str) -> bool:
        """Whether it may be one that was counted in this lane and then lost behind another: each comes back once."""
        for other in self._hidden:
            if lane in other.counted and other.may_have_come_to(one.motion.place):
                self._hidden.remove(other)
                return True
        return False

    def _is_part_of_counted(self, one: Followed, lane: str, now_us: int) -> bool:
        """Whether a vehicle was counted in this lane that leaves no place for another there."""
        others = [other for other in (*self._followed, *self._ended) if other is not one]
        return any(lane in other.counted and other.covers(one.motion.place, now_us, self._view) for other in others)

    def _measured(self, one: Followed, seen: Sighting) -> Sighting:
        """The same, its contact point as good as this frame shows it."""
        segment, view, is_dim = seen.segment, self._view, self._foreground.is_dim
        if not (segment.is_hidden_below or segment.is_cut):
            contact = contact_point(segment, self._foreground.difference, one.heading, view)
            if segment.is_by_lamps and (contact is None or not self._is_under_lamps(contact, segment)):
                return sighting(segment, segment.foot, DIM_PX, view, is_whole=False)
            if contact is None:
                return seen._replace(is_whole=False)
            return sighting(segment, contact, DIM_PX if is_dim else FINE_PX, view, is_whole=seen.is_whole)
        moved = self._patches.contact_moved(
            one.last_extent, one.last_contact, one.expected.contact - one.last_contact, view
        )
        if moved is None:
            if segment.is_cut:
                return seen._replace(is_whole=False, tells_place=False)
            return sighting(segment, one.expected.contact, HIDDEN_PX, view, is_whole=False)
        return sighting(segment, one.last_contact + moved, DIM_PX if is_dim else CARRIED_PX, view, is_whole=False)

    def _is_under_lamps(self, contact: Array, segment: Segment) -> bool:
        """Whether an edge may be the lower one of the end that has them, and not that of what they light up."""
        apart_px = abs(float(contact[1] - segment.foot[1]))
        return apart_px < _LAMPS_ERROR_M * self._view.pixels_by_metre(segment.foot) + _EDGE_ERROR_PX

    def _begin(self, frame: Frame, seen: Sighting) -> None:
        if len(self._followed) >= _TRACKS_MAX or not np.isfinite(seen.place).all():
            return
        self._number += 1
        track = Track(self._number, frame.epoch, frame.clock)
        one = Followed(track, seen, self._lines, was_hidden=self._was_hidden(seen, frame.presentation_us))
        one.moved_us = frame.presentation_us
        one.see(frame, self._measured(one, seen), self._view)
        self._followed.append(one)

    def _was_hidden(self, seen: Sighting, now_us: int) -> bool:
        """Whether what is seen for the first time comes from behind another, and is no part of one and none come back.

        What reaches beyond the lower edge is what is left in view of the vehicle ahead of it.
        """
        extent = seen.segment.extent
        whole = [one for one in self._followed if one.is_vehicle and not one.is_leaving]
        if any(one.expected.extent.overlap(extent) > _PART_SHARE for one in whole):
            return False
        if any(one.is_near(seen.place, now_us) for one in self._ended):
            return False
        is_tail = extent.bottom >= self._view.height_px
        return is_tail or any(one.hides(extent) for one in (*self._followed, *self._ended))

    def _is_whole(self, segment: Segment) -> bool:
        """Whether it stands where its lower edge is: a roof above the frame does not matter, half a front does."""
        extent = segment.extent
        is_front_seen = extent.top > 0 or extent.height >= FRONT_M * self._view.pixels_by_metre(segment.foot)
        return is_front_seen and not (segment.is_cut or segment.is_merged)

    def _held(self, shape: tuple[int, ...], now_us: int) -> Mask:
        held = np.zeros(shape, np.uint8)
        for one in self._followed:
            if one.is_vehicle and now_us - one.moved_us < _STANDING_MAX_US:
                left, top, right, bottom = (round(value) for value in one.expected.extent)
                held[max(0, top - 4) : max(0, bottom + 4), max(0, left - 4) : max(0, right + 4)] = 255
        return held

    def _give_up(self, now_us: int) -> list[Followed]:
        gone = [one for one in self._followed if one.has_gone(self._view)]
        lost = [one for one in self._followed if now_us - one.seen_us > _unseen_max_us(one)]
        self._followed = [one for one in self._followed if one not in gone and one not in lost]
        self._ended = [one for one in (*self._ended, *gone, *lost) if now_us - one.seen_us < _REMEMBERED_US]
        hidden = [one for one in lost if one.counted and not one.is_leaving]
        self._hidden = [one for one in (*self._hidden, *hidden) if now_us - one.seen_us < _HIDDEN_MAX_US]
        return gone + [one for one in lost if one not in gone]


def _unseen_max_us(one: Followed) -> int:
    return _UNSEEN_MAX_US if one.is_vehicle else _UNCERTAIN_UNSEEN_MAX_US
