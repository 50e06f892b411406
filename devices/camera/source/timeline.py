"""Where each picture lies in time: epochs, presentation times that rise strictly, clock classes, and UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from devices.camera.frame import ClockClass
from devices.camera.source.stream_clock import OFFSET_ERROR_US, StreamClock

if TYPE_CHECKING:
    from devices.camera.source.clocks import Clocks

STALL_US = 2_000_000
"""A silence longer than this ends an epoch."""
_LEAP_US = 500_000


class Moment(NamedTuple):
    """The times of a frame, as `Frame` has them."""

    presentation_us: int
    arrival_us: int
    utc_us: int
    utc_error_us: int
    epoch: int
    clock: ClockClass


class Timeline:
    """Gives each picture of a source its times, over all its openings.

    The stream's own time is used while it is seen to run true. Before that (in the first ten seconds), and whenever it
    does not, times are those of arrival, and the class says so. The picture was taken at most `latency_max_us` before
    the fastest pictures arrive: its UTC is given as the middle of that. A file's pictures are taken when they are due.
    """

    def __init__(self, latency_max_us: int) -> None:
        self._latency_max_us = latency_max_us
        self._epoch = -1
        self._offset_us = self._arrival_us = 0
        self._last: Moment | None = None
        self.begin()

    def begin(self, *, is_played: bool = False) -> None:
        """The stream is opened anew. `is_played`: it is a file, whose pictures arrive when their times say."""
        self._is_played = is_played
        self._stream_us: int | None = None
        self._restart()

    def place(self, stream_us: int | None, arrival: Clocks, claimed: ClockClass) -> Moment | None:
        """The times of the next picture: the stream says `stream_us` of it, by a clock of the class `claimed`.

        None if it has the same time as the one before it: nobody knows when it was taken.
        """
        if stream_us is None or claimed is ClockClass.ARRIVAL:
            clock, presentation_us = ClockClass.ARRIVAL, arrival.monotonic_us
        else:
            self._take(stream_us, arrival.monotonic_us)
            is_true = self._is_played or self._stream_clock.is_sound
            clock, presentation_us = (claimed, stream_us) if is_true else (ClockClass.ARRIVAL, arrival.monotonic_us)
        if self._last is None or clock is not self._last.clock or self._is_silence(arrival.monotonic_us):
            self._epoch += 1
            self._offset_us = arrival.monotonic_us - presentation_us
        elif presentation_us <= self._last.presentation_us:
            return None
        self._last = self._moment(presentation_us, arrival, clock)
        return self._last

    def _take(self, stream_us: int, arrival_us: int) -> None:
        """Hold the stream's time against ours, from the beginning again where it jumps."""
        if self._stream_us is not None:
            passed_us, waited_us = stream_us - self._stream_us, arrival_us - self._arrival_us
            leaps = not self._is_played and passed_us - waited_us > _LEAP_US
            # Over RTSP the first two pictures both say 0: which of them is right shows only later.
            is_undecided = passed_us == 0 and not self._stream_clock.is_sound
            if passed_us < 0 or passed_us > STALL_US or waited_us > STALL_US or leaps or is_undecided:
                self._restart()
        self._stream_us, self._arrival_us = stream_us, arrival_us
        self._stream_clock.take(stream_us, arrival_us)

    def _restart(self) -> None:
        self._stream_clock = StreamClock()
        self._last = None

    def _is_silence(self, arrival_us: int) -> bool:
        return self._last is not None and arrival_us - self._last.arrival_us > STALL_US

    def _moment(self, presentation_us: int, arrival: Clocks, clock: ClockClass) -> Moment:
        if self._is_played:
            latency_us, error_us = arrival.monotonic_us - presentation_us - self._offset_us, 0
        else:
            latency_us, error_us = self._latency_max_us // 2, self._latency_max_us // 2
            if clock is not ClockClass.ARRIVAL:
                latency_us += arrival.monotonic_us - presentation_us - self._stream_clock.offset_us
                error_us += OFFSET_ERROR_US
        return Moment(presentation_us, arrival.monotonic_us, arrival.utc_us - latency_us, error_us, self._epoch, clock)
