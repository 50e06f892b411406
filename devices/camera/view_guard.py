"""Whether the camera still sees what a person confirmed: only then is anybody measured or accused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.camera.calibration.view_reference import load_reference, view_file
from devices.camera.calibration.view_watch import ViewState, ViewWatch
from devices.camera.source.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from devices.camera.frame import Frame

LOOK_EVERY_US = 1_000_000


class ViewGuard:
    """Looks at a frame a second. Raises SettingsError where nobody has confirmed this very calibration."""

    def __init__(self, calibration_file: Path, calibration_sha256: bytes) -> None:
        self._name = calibration_file.name
        self._file = view_file(calibration_file)
        self._stamp = self._stamp_now()
        self._watch = ViewWatch(load_reference(calibration_file, calibration_sha256))
        self._looked_us: int | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the newest look found the view as it was."""
        return self._watch.state is ViewState.CONFIRMED

    @property
    def doubt(self) -> str:
        """Why nobody is measured, and the mend; empty while the view is confirmed."""
        if self.is_confirmed:
            return ""
        is_moved = self._watch.state is ViewState.MOVED
        seen = "the camera was moved" if is_moved else "whether the camera was moved cannot be seen"
        mend = f"if it was, calibrate again; then `wayside camera calibrate --confirm` for {self._name}"
        return f"{seen}: nobody is measured or accused; {mend}"

    def take(self, frame: Frame) -> None:
        """The newest frame. Raises SourceError when the view was confirmed anew: the camera has to begin with that."""
        if self._looked_us is not None and 0 <= frame.arrival_us - self._looked_us < LOOK_EVERY_US:
            return
        self._looked_us = frame.arrival_us
        if self._stamp_now() != self._stamp:
            raise SourceError(f"{self._file}: was written anew; the camera begins again with it")
        self._watch.take(frame.image)

    def _stamp_now(self) -> int | None:
        try:
            return self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return None
