"""What a video source fails with."""

from __future__ import annotations

from devices.driver import DeviceError


class SourceError(DeviceError):
    """The source cannot give frames until something is changed; the sentence names the place and the mend."""


class SourceEndedError(Exception):
    """A file has been played to its end."""


class StreamLostError(Exception):
    """The stream broke, or could not be opened; it is opened anew after a moment. Never quotes a URL or a password."""
