"""What a camera's process says to its driver, a line at a time, from several threads."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, NoReturn

from devices.camera.pipe import ALIVE_EVERY_S, Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from devices.driver import Reading


class Voice:
    """Has standard output for itself, and remembers what the camera cannot do at present."""

    def __init__(self) -> None:
        # Nobody else may write there: OpenCV and FFmpeg print to standard output as well.
        self._file = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._lock = threading.Lock()
        self._impairments: dict[str, str] = {}
        self._alive_s = time.monotonic()

    def say(self, report: Report) -> None:
        """Say it; the process ends when nobody listens any more."""
        with self._lock:
            self._say(report)

    def tell(self, reading: Reading) -> None:
        """A reading."""
        self.say(Report(reading=reading))

    def warn(self, about: str, sentence: str) -> None:
        """What the camera cannot do at present, and the mend; an empty sentence when that is over."""
        with self._lock:
            if self._impairments.get(about, "") == sentence:
                return
            self._impairments[about] = sentence
            self._say(Report(impairment="; ".join(one for one in self._impairments.values() if one)))

    def live(self, report: Callable[[], Report]) -> None:
        """Say now and then that the camera is at work, and how it fares."""
        now_s = time.monotonic()
        if now_s - self._alive_s >= ALIVE_EVERY_S:
            self._alive_s = now_s
            self.say(report())

    def fail(self, sentence: str) -> NoReturn:
        """The last word."""
        self.say(Report(failure=sentence))
        os._exit(1)

    def tell_defects(self) -> None:
        """From now on a defect in any thread is the last word, without its own: they may hold what was seen."""

        def fail(kind: type[BaseException], _: BaseException | None, trace: TracebackType | None) -> None:
            place = traceback.extract_tb(trace)[-1] if trace else None
            where = f" at {place.name}, line {place.lineno}" if place else ""
            self.fail(f"its process failed ({kind.__name__}{where}); it is started again")

        sys.excepthook = fail
        threading.excepthook = lambda told: fail(told.exc_type, told.exc_value, told.exc_traceback)

    def _say(self, report: Report) -> None:
        try:
            self._file.write(report.line())
            self._file.flush()
        except BrokenPipeError:
            os._exit(0)
