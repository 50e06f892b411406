"""What the camera makes of a frame, drawn over it: lanes, vehicles, their ways, their speeds or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.drawing import draw_label, draw_lanes
from devices.camera.speed.measurement import Measurement, Refusal

if TYPE_CHECKING:
    from devices.camera.calibration.calibration import Calibration
    from devices.camera.frame import Frame, Image
    from devices.camera.pipeline import Outcome
    from devices.camera.track import Track

_WHOLE, _CUT = (0, 255, 255), (0, 120, 255)
_TOO_FAST = (0, 0, 255)
_TRAIL_POINTS = 60
_LINE_PX = 2
"""A clip has half of a picture's resolution in colour: a thinner line has none."""
_CONTACT_PX = 4
_KM_H = 3.6
_MM = 1000


class Annotator:
    """Draws over the frames of one stream, in order; who is faster than `limit_mm_s` beyond doubt in red."""

    def __init__(self, calibration: Calibration, limit_mm_s: int | None) -> None:
        self._calibration, self._limit_mm_s = calibration, limit_mm_s
        self._measured: dict[int, Measurement | Refusal] = {}

    def draw(self, frame: Frame, outcome: Outcome) -> Image:
        """A copy of the frame with all that `Pipeline.take` gave for it."""
        shown = frame.image.copy()
        draw_lanes(shown, self._calibration.lanes)
        live = {track.number for track in outcome.live}
        known = self._measured | outcome.measured
        self._measured = {number: measured for number, measured in known.items() if number in live}
        for track in outcome.live:
            self._draw_track(shown, track)
        return shown

    def _draw_track(self, shown: Image, track: Track) -> None:
        newest = track.points[-1]
        measured = self._measured.get(track.number)
        colour = _TOO_FAST if self._is_too_fast(measured) else _WHOLE if newest.is_whole else _CUT
        box = newest.box
        cv2.rectangle(shown, (box.left, box.top), (box.right, box.bottom), colour, _LINE_PX)
        trail = np.array([(point.u_px, point.v_px) for point in track.points[-_TRAIL_POINTS:]]).astype(np.int32)
        cv2.polylines(shown, [trail], isClosed=False, color=colour, thickness=_LINE_PX)
        cv2.circle(shown, (round(newest.u_px), round(newest.v_px)), _CONTACT_PX, colour, -1)
        said = f"{track.number} {track.vehicle.value} {_said(measured)}"
        draw_label(shown, (box.left, box.top), said.rstrip())

    def _is_too_fast(self, measured: Measurement | Refusal | None) -> bool:
        if self._limit_mm_s is None or not isinstance(measured, Measurement):
            return False
        return (measured.speed_m_s - measured.uncertainty_m_s) * _MM > self._limit_mm_s


def _said(measured: Measurement | Refusal | None) -> str:
    if measured is None:
        return ""
    if isinstance(measured, Refusal):
        return f"no speed: {measured.reason.value}"
    return f"{measured.speed_m_s * _KM_H:.1f} km/h +- {measured.uncertainty_m_s * _KM_H:.1f}"
