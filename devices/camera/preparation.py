"""Whether a camera has the files that it needs: a calibration that serves its settings, and its confirmed view."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from devices.camera.calibration.calibration import load_calibration
from devices.camera.calibration.view_reference import load_reference
from devices.camera.rules import check_calibration, measures
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    from devices.camera.settings import CameraSettings


def unprepared_files(settings: CameraSettings) -> tuple[str, ...]:
    """What is missing or wrong, a sentence each, with the mend."""
    try:
        calibration = load_calibration(settings.calibration)
        check_calibration(settings, calibration)
    except SettingsError as error:
        return tuple(f"{error.source}: {problem}" for problem in error.problems)
    if not measures(settings, calibration):
        return ()
    try:
        load_reference(settings.calibration, calibration.sha256)
    except SettingsError as error:
        return (f"{error}: {_confirm_command(settings)}",)
    return ()


def _confirm_command(settings: CameraSettings) -> str:
    login = ["--credentials-file", str(settings.credentials_file)] if settings.credentials_file else []
    given = ["--calibration", str(settings.calibration), "--frame", settings.port, *login, "--confirm"]
    return shlex.join(["wayside", "camera", "calibrate", *given])
