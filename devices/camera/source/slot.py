"""The newest frame and the last few of them, handed from the thread that captures to the one that looks."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.camera.frame import Frame
    from devices.camera.source.counters import SourceCounters
    from devices.camera.source.settings import SourceSettings


class FrameSlot:
    """Holds one frame that nobody has taken yet, and as many of the last as the settings say.

    A frame that is not taken before the next one comes is dropped; unless `is_lossless`: then `put` waits.
    """

    def __init__(self, counters: SourceCounters, settings: SourceSettings, *, is_lossless: bool) -> None:
        self._counters = counters
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._recent: deque[Frame] = deque(maxlen=settings.recent_frames_max)
        self._recent_bytes, self._recent_bytes_max = 0, settings.recent_bytes_max
        self._is_lossless = is_lossless
        self._is_closed = False

    def put(self, frame: Frame) -> None:
        """The newest frame, from the thread that captures."""
        with self._changed:
            if self._is_lossless:
                self._changed.wait_for(lambda: self._frame is None or self._is_closed)
            self._counters.dropped += self._frame is not None
            self._frame = frame
            self._keep(frame)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Frame | None:
        """The newest frame that was not taken before; None if none comes within `timeout_s`, or never will."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._is_closed, timeout_s)
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return frame

    def recent(self) -> tuple[Frame, ...]:
        """The last frames, oldest first, whether taken or not."""
        with self._changed:
            return tuple(self._recent)

    def close(self) -> None:
        """No more frames come, or are wanted: nobody waits any longer."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _keep(self, frame: Frame) -> None:
        if not self._recent.maxlen:
            return
        if len(self._recent) == self._recent.maxlen:
            self._recent_bytes -= self._recent.popleft().image.nbytes
        self._recent.append(frame)
        self._recent_bytes += frame.image.nbytes
        while self._recent_bytes > self._recent_bytes_max:
            self._recent_bytes -= self._recent.popleft().image.nbytes
