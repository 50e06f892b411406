"""The Capture port: an open stream of pictures, whatever it comes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from devices.camera.frame import ClockClass, Image


class Picture(NamedTuple):
    """One decoded picture. `stream_us` is its time as the stream tells it, in µs; None if it tells none."""

    image: Image
    stream_us: int | None


class Capture(Protocol):
    """An open stream. Used by one thread; each call returns within the timeouts of the settings."""

    @property
    def clock(self) -> ClockClass:
        """What `stream_us` is, as far as the kind of the stream tells; may become worse as it goes on."""

    def read(self) -> Picture:
        """The next picture. Raises StreamLostError, and SourceEndedError at the end of a file."""

    def close(self) -> None:
        """Release the stream; idempotent; raises nothing."""
