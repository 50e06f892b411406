"""The gateway's clocks, and the pace at which a file is played by them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable


class Clocks(NamedTuple):
    """CLOCK_MONOTONIC and UTC of the gateway, read together; both in µs."""

    monotonic_us: int
    utc_us: int


def read_clocks() -> Clocks:
    """Both clocks now."""
    return Clocks(time.monotonic_ns() // 1000, time.time_ns() // 1000)


class Playback:
    """When the pictures of a file arrive: each as long after the first as the file says."""

    def __init__(self, read: Callable[[], Clocks], closing: threading.Event, *, in_real_time: bool) -> None:
        self._read, self._closing, self._in_real_time = read, closing, in_real_time
        self._began: tuple[Clocks, int] | None = None

    def arrival(self, stream_us: int) -> Clocks:
        """Waits until the picture at `stream_us` is due; gives when it is. Without real time it waits for nothing."""
        if self._began is None:
            self._began = (self._read(), stream_us)
        began, first_us = self._began
        passed_us = stream_us - first_us
        if not self._in_real_time:
            return Clocks(began.monotonic_us + passed_us, began.utc_us + passed_us)
        self._closing.wait(max(0, began.monotonic_us + passed_us - self._read().monotonic_us) / 1_000_000)
        return self._read()
