"""The last seconds of a compressed stream: enough of it that any picture in it can be decoded."""

from __future__ import annotations

import threading
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from devices.camera.source.timeline import Moment


class Packet(NamedTuple):
    """One picture as it came, at `stream_us` by the stream's own time.

    `is_key`: it can be decoded without others. `moment` is None if it has no time.
    """

    data: bytes
    is_key: bool
    stream_us: int
    arrival_us: int
    moment: Moment | None


class Run(NamedTuple):
    """What must be decoded, in order, to see the last picture of it; `moments` are when each was taken, if known."""

    data: tuple[bytes, ...]
    moments: tuple[Moment | None, ...]


class Packets:
    """At most `keep_us` and `bytes_max` of a stream, always from a key picture on."""

    def __init__(self, keep_us: int, bytes_max: int) -> None:
        self._keep_us, self._bytes_max = keep_us, bytes_max
        self._lock = threading.Lock()
        self._packets: deque[Packet] = deque()
        self._bytes = 0
        self._has_key = False

    def add(self, packet: Packet) -> None:
        """The next one; of no use before the first key picture since the stream broke off."""
        with self._lock:
            self._has_key = self._has_key or packet.is_key
            if not self._has_key:
                return
            self._packets.append(packet)
            self._bytes += len(packet.data)
            while self._bytes > self._bytes_max or packet.arrival_us - self._packets[0].arrival_us > self._keep_us:
                self._drop_group()
                if not self._packets:
                    self._has_key = False
                    return

    def break_off(self) -> None:
        """The stream was lost: what comes next does not go on from the last packet."""
        with self._lock:
            self._has_key = False

    def nearest(self, utc_us: int) -> Run | None:
        """What leads to the picture that was taken nearest to `utc_us`.

        None if there is no picture, or if times fall between its key picture and it, as they do with B-pictures, which
        come in another order than they are seen.
        """
        with self._lock:
            packets = list(self._packets)
        timed = [(abs(one.moment.utc_us - utc_us), at) for at, one in enumerate(packets) if one.moment is not None]
        if not timed:
            return None
        last = min(timed)[1]
        return _run(packets, last, last)

    def between(self, first_us: int, last_us: int) -> Run | None:
        """What leads to all pictures that were taken from one UTC to another; None as above."""
        with self._lock:
            packets = list(self._packets)
        wanted = [at for at, one in enumerate(packets) if one.moment and first_us <= one.moment.utc_us <= last_us]
        return _run(packets, wanted[0], wanted[-1]) if wanted else None

    def _drop_group(self) -> None:
        """The oldest key picture and what leans on it."""
        while True:
            self._bytes -= len(self._packets.popleft().data)
            if not self._packets or self._packets[0].is_key:
                return


def _run(packets: list[Packet], first: int, last: int) -> Run | None:
    """From the key picture that `first` leans on to `last`."""
    key = max(at for at in range(first + 1) if packets[at].is_key)
    run = packets[key : last + 1]
    if any(after.stream_us < before.stream_us for before, after in pairwise(run)):
        return None
    return Run(tuple(one.data for one in run), tuple(one.moment for one in run))
