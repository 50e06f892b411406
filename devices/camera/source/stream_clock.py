"""Whether a stream's own time runs as true as the gateway's clock, and how far it is behind it.

A camera's time stamps say when a picture was taken, if the camera is good. Many are not: one that takes fewer pictures
at dusk and goes on stamping them at its nominal rate makes every car twice as fast. The network only ever delays, so
the smallest difference of arrival and stream time within a while is the least disturbed one (the minimum filter of
NTP, RFC 5905, section 10); how it changes over a minute is how wrong the stream's clock runs.

A camera may lose a picture or two and stamp the next ones as if none were lost. Under 0.15 s nothing tells that from
the network's delay; nor need it: the median of deltas in `speed` bears such a step (each of 10,000 simulated passages
was refused, or off by at most two thirds of its stated uncertainty), and losses that go on are a rate, which is seen.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

_BUCKET_US = 1_000_000
_BUCKETS_MIN, _BUCKETS_MAX = 10, 60
_RATE_PPM_MAX = 2_000
_JITTER_US = 50_000
DELAY_US_MAX = 150_000
OFFSET_ERROR_US = _JITTER_US + _BUCKETS_MAX // 3 * _RATE_PPM_MAX
"""How far `offset_us` may be from the true one while the clock is sound, in µs."""


class _Bucket(NamedTuple):
    """The fastest picture of a second: when it arrived, and by how much that is after its stream time."""

    arrival_us: int
    offset_us: int


class StreamClock:
    """The minimum filter over the last minute of one stream; the stream's time must rise from picture to picture."""

    def __init__(self) -> None:
        self._buckets: deque[_Bucket] = deque(maxlen=_BUCKETS_MAX)
        self._open: list[_Bucket] = []
        self.is_sound = False
        """Ten seconds or more of it ran within 0.2 % (and 50 ms) of ours, up to the last full second."""
        self.offset_us = 0
        """Arrival less stream time of the least delayed picture lately; means something only while sound."""

    def take(self, stream_us: int, arrival_us: int) -> None:
        """One more picture."""
        if self._open and arrival_us - self._open[0].arrival_us >= _BUCKET_US:
            self._buckets.append(min(self._open, key=lambda one: one.offset_us))
            self._open.clear()
            self._judge()
        self._open.append(_Bucket(arrival_us, arrival_us - stream_us))
        if self.is_sound:
            self.offset_us = min(self.offset_us, arrival_us - stream_us)

    def _judge(self) -> None:
        if len(self._buckets) < _BUCKETS_MIN:
            return
        buckets = list(self._buckets)
        third = len(buckets) // 3
        early, late = (min(part, key=lambda one: one.offset_us) for part in (buckets[:third], buckets[-third:]))
        allowed_us = _JITTER_US + (late.arrival_us - early.arrival_us) * _RATE_PPM_MAX // 1_000_000
        is_in_time = buckets[-1].offset_us - late.offset_us <= DELAY_US_MAX
        self.is_sound = is_in_time and abs(late.offset_us - early.offset_us) <= allowed_us
        self.offset_us = late.offset_us
