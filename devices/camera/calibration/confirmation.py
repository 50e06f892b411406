"""Confirming a view: the reference that the camera's view is watched by, made and tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.calibration.view_reference import make_reference, view_size
from devices.camera.calibration.view_watch import MOVED_PX, ViewWatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devices.camera.calibration.view_reference import ViewReference
    from devices.camera.frame import Image

FRAMES = 30
FRAMES_APART_S = 0.5
_FRAMES_MIN = 10
_RECOGNISED_SHARE_MIN = 0.8


class NotConfirmableError(Exception):
    """These frames make no reference; the sentence says why, and the mend."""


def at_view_size(given: Iterable[Image]) -> list[Image]:
    """Frames as small as views are compared at."""
    return [
        np.asarray(cv2.resize(image, view_size(image), interpolation=cv2.INTER_AREA), dtype=np.uint8) for image in given
    ]


def displacement_px(confirmed: ViewReference, images: Iterable[Image]) -> float | None:
    """How far the view has moved since it was confirmed, in pixels of a frame 640 px wide: the median of the images'.

    None where none of them tells: at night, or if it is quite another view.
    """
    watch = ViewWatch(confirmed)
    found = [displacement for image in images if (displacement := watch.take(image)) is not None]
    return float(np.median(found)) if found else None


def confirm_view(given: Iterable[Image], calibration_sha256: bytes) -> ViewReference:
    """A reference from some seconds of frames, by which each of them is recognised.

    Raises NotConfirmableError when it would not be, for then speed could never be measured.
    """
    frames = at_view_size(given)
    if len(frames) < _FRAMES_MIN:
        raise NotConfirmableError(
            f"only {len(frames)} frames came; give a video of {_FRAMES_MIN * FRAMES_APART_S:.0f} s or more"
        )
    reference = make_reference(frames, calibration_sha256)
    if reference is None:
        raise NotConfirmableError(
            "the view shows too few edges that stay: confirm by daylight, with kerbs, walls or road markings in it"
        )
    watch = ViewWatch(reference)
    found = [displacement for image in frames if (displacement := watch.take(image)) is not None]
    if len(found) < _RECOGNISED_SHARE_MIN * len(frames):
        raise NotConfirmableError(
            f"the view is recognised in {len(found)} of {len(frames)} frames only: confirm by daylight, in thin traffic"
        )
    if max(found) >= MOVED_PX:
        raise NotConfirmableError(
            f"the camera moves, by {max(found):.1f} px of a frame 640 px wide while it was watched: fasten it"
        )
    return reference
