"""A vehicle's speed from its track over presentation times: pure, and the same for the same track."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from devices.camera.speed.alone import is_alone
from devices.camera.speed.contact import FOREGROUND_EDGE, ContactPoint, camera_height_m
from devices.camera.speed.measurement import Measurement, Reason, Refusal
from devices.camera.speed.path import Path
from devices.camera.speed.refusals import POINTS_MIN, refuse_path
from devices.camera.speed.uncertainty import budget
from devices.camera.track import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from devices.camera.calibration.ground_plane import GroundPlane
    from devices.camera.frame import ClockClass
    from devices.camera.track import TrackPoint

    Array = npt.NDArray[np.float64]

_POINTS_MAX = 240
"""More are thinned evenly: the second estimator takes the square of it."""
_UNCERTAINTY_MAX_M_S = 5.0 / 3.6
_UNCERTAINTY_SHARE_MAX = 0.05
"""In service in France (arrete of 4 June 2009, article 6), the widest limits found: what is less sure tells nothing."""


def measure(
    points: Sequence[TrackPoint],
    plane: GroundPlane,
    frame_size: tuple[int, int],
    zone: Sequence[tuple[float, float]],
    clock: ClockClass,
    contact: ContactPoint = FOREGROUND_EDGE,
    others: Iterable[Sequence[TrackPoint]] = (),
) -> Measurement | Refusal:
    """The speed of a track's `points` in `zone`, or why there is none.

    Of what lies in the zone the longest stretch is measured on which the vehicle was seen whole all the way. `zone` is
    a polygon in pixels of the calibration's frame of `frame_size` (width, height); `others` are the points of all other
    tracks of the time. By any clock class: who makes a violation of it asks `Measurement.is_enforceable`.
    """
    if not plane.is_surveyed or (height_m := camera_height_m(plane, frame_size)) is None:
        return Refusal(Reason.NO_SURVEY)
    inside = _inside(np.array([(point.u_px, point.v_px) for point in points]).reshape(-1, 2), zone)
    seen = [point for point, is_inside in zip(points, inside, strict=True) if is_inside]
    whole = _longest_whole(seen)
    if len(whole) < POINTS_MIN:
        return Refusal(Reason.TOO_FEW_POINTS if len(seen) < POINTS_MIN else Reason.CUT)
    used = _thinned(whole)
    path = _path(used, plane, contact.drift_widths * frame_size[0])
    if not np.isfinite(path.sigmas_m).all():
        return Refusal(Reason.TOO_UNCERTAIN)
    if reason := refuse_path(path):
        return Refusal(reason)
    if not is_alone(used, path.course, others):
        return Refusal(Reason.NOT_ALONE)
    speed_m_s = path.speed_m_s * (1.0 - contact.height_m / height_m)
    survey_m = plane.length_uncertainty(path.metres[0], path.metres[-1])
    uncertainty_m_s = speed_m_s * budget(path, survey_m, contact, height_m).expanded
    if not uncertainty_m_s <= max(_UNCERTAINTY_MAX_M_S, _UNCERTAINTY_SHARE_MAX * speed_m_s):
        return Refusal(Reason.TOO_UNCERTAIN)
    direction = Direction.APPROACHING if used[-1].v_px > used[0].v_px else Direction.DEPARTING
    return Measurement(speed_m_s, uncertainty_m_s, len(used), path.residual_m, path.span_m, direction, clock)


def _longest_whole(points: list[TrackPoint]) -> list[TrackPoint]:
    """The most points one after another that show the whole vehicle: between two stretches, anything was followed."""
    stretches = (list(group) for is_whole, group in groupby(points, key=attrgetter("is_whole")) if is_whole)
    return max(stretches, key=len, default=[])


def _thinned(points: list[TrackPoint]) -> list[TrackPoint]:
    if len(points) <= _POINTS_MAX:
        return points
    return [points[at] for at in np.linspace(0, len(points) - 1, _POINTS_MAX).astype(int)]


def _path(points: list[TrackPoint], plane: GroundPlane, sigma_px: float) -> Path:
    pixels = np.array([(point.u_px, point.v_px) for point in points])
    elapsed_us = np.array([point.presentation_us - points[0].presentation_us for point in points])
    return Path(elapsed_us / 1e6, plane.to_ground(pixels), plane.point_uncertainty_m(pixels, sigma_px))


def _inside(pixels: Array, polygon: Sequence[tuple[float, float]]) -> npt.NDArray[np.bool_]:
    """Which of `pixels` (n, 2) lie in the polygon: a ray from there crosses its edges an odd number of times."""
    inside = np.zeros(len(pixels), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], *polygon[:1]], strict=True):
        spans = (y0 > pixels[:, 1]) != (y1 > pixels[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = x0 + (pixels[:, 1] - y0) * (x1 - x0) / (y1 - y0)
        inside ^= spans & (pixels[:, 0] < crossing)
    return inside
