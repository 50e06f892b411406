"""Which capture reads which address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.camera.source.address import Transport
from devices.camera.source.errors import SourceError, StreamLostError
from devices.camera.source.mjpeg_capture import MjpegCapture
from devices.camera.source.opencv_capture import OpenCvCapture

if TYPE_CHECKING:
    from devices.camera.source.address import Address
    from devices.camera.source.capture import Capture
    from devices.camera.source.counters import SourceCounters
    from devices.camera.source.settings import SourceSettings


def open_capture(address: Address, settings: SourceSettings, counters: SourceCounters) -> Capture:
    """Open the stream once. Raises StreamLostError, and SourceError where opening it again cannot help."""
    if address.transport is Transport.MJPEG:
        return MjpegCapture(address, settings, counters)
    try:
        return OpenCvCapture(address, settings)
    except StreamLostError:
        if address.transport is Transport.FILE:
            raise SourceError(
                f"{address.place}: is no video file; name one, or an rtsp://, http:// or tcp://"
            ) from None
        raise
