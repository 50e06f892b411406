"""Outlines: cut off before the lens, and the part of a frame that they cover."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.sim.camera.pose import Floats

NEAREST_M = 0.5
"""Nothing nearer to the lens is drawn."""
_FIXED_POINT = 16
_Value = TypeVar("_Value", np.uint8, np.float32)


class Bounds(NamedTuple):
    """A part of a frame: left and top are inside, right and bottom are not."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, frame: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
        """That part of it, to be written to."""
        return frame[self.top : self.bottom, self.left : self.right]

    def fixed_point(self, outline: Floats) -> npt.NDArray[np.int32]:
        """An outline in this part's pixels as OpenCV draws it with `shift=4`, its pixels' centres being integers."""
        return np.round((outline - (self.left + 0.5, self.top + 0.5)) * _FIXED_POINT).clip(-1e7, 1e7).astype(np.int32)


def bounds(outline: Floats, margin_px: int, frame: npt.NDArray[_Value]) -> Bounds | None:
    """What an outline (n, 2) in pixels, and a margin about it, cover of a frame; None for nothing."""
    height, width = frame.shape[:2]
    across, down = outline.T.tolist()
    left, top = max(floor(min(across)) - margin_px, 0), max(floor(min(down)) - margin_px, 0)
    found = Bounds(left, top, min(ceil(max(across)) + margin_px, width), min(ceil(max(down)) + margin_px, height))
    return found if found.left < found.right and found.top < found.bottom else None


def clipped(corners: Floats, depths: Floats) -> Floats:
    """What of a convex polygon (n, 3) lies beyond NEAREST_M, by Sutherland and Hodgman's algorithm (1974)."""
    kept = []
    for index, (corner, depth) in enumerate(zip(corners, depths, strict=True)):
        before, depth_before = corners[index - 1], depths[index - 1]
        if (depth < NEAREST_M) != (depth_before < NEAREST_M):
            share = (NEAREST_M - depth_before) / (depth - depth_before)
            kept.append(before + (corner - before) * share)
        if depth >= NEAREST_M:
            kept.append(corner)
    return np.array(kept).reshape(-1, 3)
