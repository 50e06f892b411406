"""The thread that captures: opens a stream, opens it anew when it is lost, and can be seen to hang."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from devices.camera.source.errors import SourceEndedError, SourceError, StreamLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from devices.camera.source.counters import SourceCounters
    from devices.camera.source.settings import SourceSettings

_REOPEN_S = (0.2, 1.0)
_STUCK_S = 10.0


class CaptureThread:
    """Calls `capture` again and again until `close`: each time is one opening of the stream at `place`.

    `capture` raises StreamLostError when the stream is lost, and returns when `closing` is set; before each thing that
    may take as long as a timeout it calls `alive`. `ended` is called when nothing more comes.
    """

    def __init__(
        self,
        place: str,
        settings: SourceSettings,
        counters: SourceCounters,
        capture: Callable[[], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._place, self._counters = place, counters
        self._capture, self._ended = capture, ended
        self._timeout_s = max(settings.open_timeout_ms, settings.read_timeout_ms) / 1000
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._alive_s = time.monotonic()
        self._failure: SourceError | SourceEndedError | None = None
        self.closing = threading.Event()
        self.trouble: str | None = f"{place}: not opened yet"
        """Why nothing comes just now, in one sentence; None while it does."""

    def start(self) -> None:
        """Once."""
        self._thread.start()

    def alive(self) -> None:
        """It does not hang."""
        self._alive_s = time.monotonic()

    def check(self) -> None:
        """Raises what ended the capture: SourceEndedError, or SourceError, also if the thread hangs in a library."""
        if self._failure is not None:
            raise self._failure
        hangs = time.monotonic() - self._alive_s > self._timeout_s + _STUCK_S
        if self._thread.ident is not None and not self.closing.is_set() and (hangs or not self._thread.is_alive()):
            raise SourceError(f"{self._place}: the thread that captures hangs; start the camera's process anew")

    def close(self) -> None:
        """Stop; waits no longer than the timeouts allow a library to take."""
        self.closing.set()
        if self._thread.ident is not None:
            self._thread.join(self._timeout_s + 1)

    def _run(self) -> None:
        try:
            while not self.closing.is_set():
                try:
                    self.alive()
                    self._capture()
                except StreamLostError as error:
                    self._counters.losses += 1
                    self.trouble = str(error)
                    self.closing.wait(random.uniform(*_REOPEN_S))  # noqa: S311 - jitter
        except (SourceError, SourceEndedError) as error:
            self._failure = error
        finally:
            self._ended()
