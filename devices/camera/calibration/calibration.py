"""A camera's calibration: its lanes and, where it was surveyed, its road."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from devices.camera.calibration.calibration_file import CalibrationTable
from devices.camera.calibration.consistency import check_consistency
from devices.camera.calibration.survey import survey
from ledger_sync.proof.settings import Problems, SettingsError, load_toml, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from devices.camera.calibration.ground_plane import GroundPlane
    from devices.camera.calibration.lanes import Lane
    from devices.camera.calibration.survey import Survey

_ASPECT_TOLERANCE = 0.01
"""Encoders round a sub-stream's sides to multiples of 8 or 16."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Lanes in pixels of a frame of `width_px` by `height_px`; `plane` is None when nobody surveyed the road.

    `sha256` is that of the file's bytes: what a person reviewed is what events name.
    """

    width_px: int
    height_px: int
    lanes: tuple[Lane, ...]
    plane: GroundPlane | None
    sha256: bytes

    def scaled_to(self, width_px: int, height_px: int) -> Calibration:
        """The same for another stream of the same field of view.

        Raises ValueError with a sentence if its sides are in another ratio: then it is not the same field of view.
        """
        x_scale, y_scale = width_px / self.width_px, height_px / self.height_px
        if abs(x_scale / y_scale - 1.0) > _ASPECT_TOLERANCE:
            raise ValueError(
                f"frames are {width_px}x{height_px}, the calibration is for {self.width_px}x{self.height_px}: their "
                "sides are in another ratio, so they do not show the same; calibrate on a frame of this stream"
            )
        return replace(
            self,
            width_px=width_px,
            height_px=height_px,
            lanes=tuple(lane.scaled(x_scale, y_scale) for lane in self.lanes),
            plane=self.plane.scaled(x_scale, y_scale) if self.plane else None,
        )


class Reviewed(NamedTuple):
    """A calibration with what it was made from: the file's table, and the adjusted survey, if there is one."""

    calibration: Calibration
    table: CalibrationTable
    survey: Survey | None


def load_calibration(path: Path) -> Calibration:
    """The calibration in the file at `path`. Raises SettingsError with all its mistakes, each with place and mend."""
    return review_calibration(path).calibration


def review_calibration(path: Path) -> Reviewed:
    """The calibration in the file at `path`, with its survey. Raises SettingsError as `load_calibration` does."""
    table = load_toml(path)
    raw = path.read_bytes()
    if repr(load_toml(path)) != repr(table):  # a number that is none equals nothing, not even itself
        raise SettingsError(str(path), ("was changed while it was read; try again",))
    return read_calibration(table, str(path), sha256(raw).digest())


def read_calibration(table: Mapping[str, Any], source: str, digest: bytes) -> Reviewed:
    """The calibration in a file's table. Raises SettingsError about `source` with all its mistakes."""
    problems = Problems()
    read = read_settings(CalibrationTable, table, problems)
    if read is not None:
        check_consistency(read, problems)
    surveyed = survey(read, problems) if read is not None and read.point and not problems else None
    if read is not None and surveyed is not None:
        _check_zones(read, surveyed, problems)
    if read is None or problems:
        raise SettingsError(source, tuple(problems))
    return Reviewed(
        Calibration(
            width_px=read.frame.width_px,
            height_px=read.frame.height_px,
            lanes=tuple(row.lane for row in read.lane),
            plane=surveyed.adjusted.plane if surveyed else None,
            sha256=digest,
        ),
        read,
        surveyed,
    )


def _check_zones(table: CalibrationTable, surveyed: Survey, problems: Problems) -> None:
    for at, lane in enumerate(table.lane):
        corners = surveyed.adjusted.plane.to_ground(lane.speed_zone) if lane.speed_zone else np.zeros((0, 2))
        if not np.isfinite(corners).all():
            problems.add(f"lane[{at}].speed_zone", "reaches above the horizon; draw it on the road")
