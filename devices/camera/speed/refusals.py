"""Why a track is refused: each check keeps out one way in which a track lies. All are always on; SPEED.md lists them.

The bounds are shares of what is measured, so that they mean the same for every zone, speed and frame rate: an error
of 1 % is what a track may have in each way before the limits of 3 % in service come near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from devices.camera.speed.measurement import Reason

if TYPE_CHECKING:
    from devices.camera.speed.path import Path

POINTS_MIN = 8
SPAN_MIN_M = 10.0
_GAP_SHARE_MAX = 0.25
_RESIDUAL_SHARE_MAX = 0.01
_FAR_M = 0.5
_FAR_SIGMAS = 3.0
"""A point farther off steady motion than both is of another thing: a shadow, a neighbour, half a vehicle."""
_FAR_SHARE_MAX = 0.1
_DISAGREEMENT_MAX_M_S = 1.0 / 3.6
_DISAGREEMENT_SHARE_MAX = 0.01
_CHANGE_SHARE_MAX = 0.1
_SIDEWAYS_MAX_M = 0.3
"""Of a lane's 3.5 m; a change of lane at speed, or two vehicles in one track."""


def refuse_path(path: Path) -> Reason | None:
    """The first reason not to trust it, or None."""
    if path.span_m < SPAN_MIN_M or path.speed_m_s <= 0.0:
        return Reason.TOO_SHORT
    if path.longest_gap_s > _GAP_SHARE_MAX * path.duration_s:
        return Reason.GAP
    if abs(path.change_m_s) > _CHANGE_SHARE_MAX * path.speed_m_s:
        return Reason.SPEED_CHANGES
    disagreement = abs(path.speed_m_s - path.second_speed_m_s)
    if disagreement > max(_DISAGREEMENT_MAX_M_S, _DISAGREEMENT_SHARE_MAX * path.speed_m_s):
        return Reason.ESTIMATORS_DISAGREE
    if path.residual_m > _RESIDUAL_SHARE_MAX * path.span_m:
        return Reason.UNEVEN
    if np.mean(np.abs(path.deviations_m) > np.maximum(_FAR_M, _FAR_SIGMAS * path.sigmas_m)) > _FAR_SHARE_MAX:
        return Reason.UNEVEN
    if path.sideways_m > _SIDEWAYS_MAX_M:
        return Reason.NOT_STRAIGHT
    return None
