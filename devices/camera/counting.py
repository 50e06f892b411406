"""How many vehicles passed a lane's count line, told once an interval of UTC."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from devices.camera.track import Direction, VehicleClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.frame import Frame
    from devices.camera.vehicles.seen import Crossing

_SECOND_US = 1_000_000
SEEN_GAP_MAX_US = 1_000_000
"""A longer pause between two frames was not observed: a vehicle may have passed in it."""


class LaneCounts:
    """Counts of an interval; intervals begin at whole multiples of `interval_s` of UTC, as other counters' do.

    A lane is told in both directions, zeros too: nothing passed is another thing than nothing seen. The interval in
    which the camera was started is told as well, with how much of it was observed.
    """

    def __init__(self, lanes: Sequence[str], interval_s: int) -> None:
        self._lanes = lanes
        self._interval_us = interval_s * _SECOND_US
        self._interval: int | None = None
        self._before: tuple[int, int] | None = None
        self._observed_us = 0
        self._counts: Counter[tuple[str, Direction, VehicleClass]] = Counter()

    def take(self, frame: Frame) -> list[dict[str, Any]]:
        """The data of `vehicle.count` for an interval that ended before this frame; to be called with every frame.

        UTC may be stepped back: then an interval is told in parts.
        """
        interval = frame.utc_us // self._interval_us
        ended: list[dict[str, Any]] = []
        if self._interval not in (None, interval):
            ended = self._told()
            self._counts.clear()
            self._observed_us = 0
        self._interval = interval
        if self._before is not None:
            epoch, presentation_us = self._before
            gap_us = frame.presentation_us - presentation_us
            if epoch == frame.epoch and gap_us <= SEEN_GAP_MAX_US:
                self._observed_us += gap_us
        self._before = frame.epoch, frame.presentation_us
        return ended

    def finish(self) -> list[dict[str, Any]]:
        """The data of the interval that is open; none before the first frame."""
        return [] if self._interval is None else self._told()

    def count(self, crossing: Crossing) -> None:
        """A vehicle passed a lane's count line."""
        self._counts[crossing.lane, crossing.direction, crossing.track.vehicle] += 1

    def _told(self) -> list[dict[str, Any]]:
        interval_s = self._interval_us // _SECOND_US
        return [
            {
                "lane": lane,
                "direction": direction.value,
                "interval_s": interval_s,
                "observed_s": min(interval_s, self._observed_us // _SECOND_US),
                "counts": [
                    {"class": vehicle.value, "count": self._counts[lane, direction, vehicle]}
                    for vehicle in VehicleClass
                    if self._counts[lane, direction, vehicle]
                ],
            }
            for lane in self._lanes
            for direction in Direction
        ]
