"""What stands out in two of three images running: streaks of rain, flakes and noise are in one only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from devices.camera.vehicles.foreground import Mask

_APART_MAX_US = 150_000
"""In a longer time a fast vehicle may leave all of the place where it was."""
_SHARE_MIN = 0.1
_LARGE_PX = 80
"""No streak is so large; a part of a fast vehicle near the camera is, and may be far from where it was."""


class Steady:
    """Compares each mask with those just before it."""

    def __init__(self) -> None:
        self._before: list[tuple[Mask, int]] = []

    def begin_epoch(self) -> None:
        """Presentation times begin anew."""
        self._before.clear()

    def taken(self, found: Mask, presentation_us: int) -> Mask:
        """The parts of `found` that are large, or were there just before in part; all, if nothing was just before."""
        before = [mask for mask, at_us in self._before if presentation_us - at_us <= _APART_MAX_US]
        self._before = [*self._before[-1:], (found, presentation_us)]
        if not before:
            return found
        _, labels, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA]
        was_found = np.logical_or.reduce(before)
        is_there = np.bincount(labels[was_found], minlength=len(areas)) >= _SHARE_MIN * areas
        is_there |= areas >= _LARGE_PX
        is_there[0] = False
        return np.where(is_there[labels], found, 0).astype(np.uint8)
