"""A frame of video and its times: what sources give, and everything else in `camera` works from."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]
    """Height x width x 3, blue, green, red."""


class ClockClass(enum.StrEnum):
    """Where a frame's presentation time comes from, best first."""

    HARDWARE = "hardware"
    RTSP = "rtsp"
    CONTAINER = "container"
    MJPEG = "mjpeg"
    ARRIVAL = "arrival"

    @property
    def is_enforceable(self) -> bool:
        """Whether a speed or a red-light violation may rest on it: the time is the camera's, not the network's."""
        return self in (ClockClass.HARDWARE, ClockClass.RTSP, ClockClass.CONTAINER)


class Frame(NamedTuple):
    """One picture.

    `presentation_us` runs by the camera's clock; only differences within one `epoch` mean anything, and it rises
    strictly within one. An epoch ends when the stream is opened anew, stalls, or its time jumps. `arrival_us` is
    CLOCK_MONOTONIC of the gateway. The picture was taken within `utc_error_us` of `utc_us` by the gateway's UTC.
    """

    image: Image
    presentation_us: int
    arrival_us: int
    utc_us: int
    utc_error_us: int
    epoch: int
    clock: ClockClass
