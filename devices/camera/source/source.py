"""A source of video: captures in a thread of its own, and hands over the newest frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.camera.frame import Frame
from devices.camera.source.address import Transport, read_address
from devices.camera.source.capture_thread import CaptureThread
from devices.camera.source.clocks import Playback, read_clocks
from devices.camera.source.counters import SourceCounters
from devices.camera.source.opening import open_capture
from devices.camera.source.slot import FrameSlot
from devices.camera.source.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from devices.camera.source.capture import Capture
    from devices.camera.source.clocks import Clocks
    from devices.camera.source.settings import SourceSettings


class Source:
    """One stream of frames, from `start` to `close`. A stream that is lost is opened anew within a second, for ever.

    Raises SourceError where the settings cannot work. `read` gives the gateway's clocks.
    """

    def __init__(self, settings: SourceSettings, read: Callable[[], Clocks] = read_clocks) -> None:
        self._settings, self._read = settings, read
        self._address = read_address(settings)
        self._is_played = self._address.transport is Transport.FILE
        self._timeline = Timeline(settings.latency_max_ms * 1000)
        self.counters = SourceCounters()
        # A file can wait, so a slow machine sees all of it; a camera cannot.
        self._slot = FrameSlot(self.counters, settings, is_lossless=self._is_played)
        self._thread = CaptureThread(self._address.place, settings, self.counters, self._capture, self._slot.close)

    @property
    def trouble(self) -> str | None:
        """Why no frames come just now, in one sentence; None while they do."""
        return self._thread.trouble

    def start(self) -> None:
        """Begin to capture. Called once."""
        self._thread.start()

    def newest(self, timeout_s: float) -> Frame | None:
        """The newest frame that was not given before; None if none came within `timeout_s`.

        Raises SourceEndedError after the last frame of a file, and SourceError where opening anew cannot help: then the
        process that captures must end.
        """
        frame = self._slot.take(timeout_s)
        if frame is None:
            self._thread.check()
        return frame

    def recent(self) -> tuple[Frame, ...]:
        """The last frames, as many as the settings allow, oldest first."""
        return self._slot.recent()

    def close(self) -> None:
        """Stop capturing and release the stream; waits no longer than the timeouts say."""
        self._slot.close()
        self._thread.close()

    def _capture(self) -> None:
        """One opening of the stream, until it is lost."""
        capture = open_capture(self._address, self._settings, self.counters)
        try:
            closing = self._thread.closing
            playback = Playback(self._read, closing, in_real_time=self._settings.in_real_time)
            self.counters.openings += 1
            self._timeline.begin(is_played=self._is_played)
            while not closing.is_set():
                self._thread.alive()
                self._take(capture, playback)
        finally:
            capture.close()

    def _take(self, capture: Capture, playback: Playback) -> None:
        image, stream_us = capture.read()
        arrival = playback.arrival(stream_us) if self._is_played and stream_us is not None else self._read()
        moment = self._timeline.place(stream_us, arrival, capture.clock)
        if moment is None:
            self.counters.untimed += 1
            return
        self.counters.frames += 1
        self._thread.trouble = None
        self._slot.put(Frame(image, *moment))
