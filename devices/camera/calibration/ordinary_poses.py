"""Views of a road as cameras ordinarily have them: where the search for the true one starts."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from devices.camera.calibration.ground_plane import GroundPlane

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from devices.camera.calibration.observations import Observations

    Array = npt.NDArray[np.float64]

_FOCAL_LENGTHS = (0.6, 1.0, 1.8, 3.5, 7.0)
"""Of half the frame's width: fields of view from 118 to 16 degrees."""
_TILTS_DEG = (4.0, 10.0, 20.0, 35.0, 55.0, 80.0)


def posed_homographies(observed: Observations, marks: Array, unit_px: float) -> Iterator[Array]:
    """Homographies (3 x 3, the last entry 1) from `marks`' units to metres, each at its best place, turn and scale.

    `marks` (n, 2) are the observed pixels from their middle, in units of `unit_px`.
    """
    width, height = observed.frame_size
    offset = (observed.pixels.mean(axis=0) - (width / 2, height / 2)) / unit_px
    for focal_length, tilt in product(_FOCAL_LENGTHS, np.radians(_TILTS_DEG)):
        down, ahead = np.sin(tilt), np.cos(tilt)
        centred = np.array([[1.0, 0.0, 0.0], [0.0, -down, focal_length * ahead], [0.0, ahead, focal_length * down]])
        posed = centred @ np.array([[1.0, 0.0, offset[0]], [0.0, 1.0, offset[1]], [0.0, 0.0, 1.0]])
        if (marks @ posed[2, :2] + posed[2, 2] > 0).all():
            yield from _aligned(observed, posed / posed[2, 2], marks)


def _aligned(observed: Observations, posed: Array, marks: Array) -> Iterator[Array]:
    """The pose brought to the surveyed distances and coordinates; also mirrored where these may be left-handed."""
    ground = GroundPlane(posed, None).to_ground(marks)
    is_known = np.isfinite(observed.coordinates_m[:, 0])
    if len(observed.ends):
        lengths = np.linalg.norm(ground[observed.ends[:, 1]] - ground[observed.ends[:, 0]], axis=1)
        scale = float(np.median(observed.distances_m / lengths))
    else:
        scale = float(observed.coordinates_m[is_known].std() / ground[is_known].std())
    posed, ground = np.diag([scale, scale, 1.0]) @ posed, ground * scale
    if is_known.sum() < 2:  # noqa: PLR2004 - what fixes a place and a direction
        anchor = int(is_known.argmax())
        yield _moved(posed, np.eye(2), np.nan_to_num(observed.coordinates_m[anchor]) - ground[anchor])
        return
    target = observed.coordinates_m[is_known]
    for mirror in (np.eye(2), np.diag([1.0, -1.0])):
        seen = ground[is_known] @ mirror
        left, _, right = np.linalg.svd((seen - seen.mean(axis=0)).T @ (target - target.mean(axis=0)))
        turn = right.T @ np.diag([1.0, np.sign(np.linalg.det(right.T @ left.T))]) @ left.T
        yield _moved(posed, turn @ mirror, target.mean(axis=0) - turn @ seen.mean(axis=0))
        if len(target) == 2:  # noqa: PLR2004 - two points are their own mirror image
            return


def _moved(homography: Array, turn: Array, shift: Array) -> Array:
    """The homography with its metres turned, then shifted."""
    motion = np.eye(3)
    motion[:2, :2], motion[:2, 2] = turn, shift
    moved: Array = motion @ homography
    return moved
