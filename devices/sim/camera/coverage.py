"""How much of each pixel an outline covers, so that an edge lies where geometry has it.

OpenCV's own anti-aliased fills draw the outline as a line over the filled inside: every edge comes out 0.7 pixels too
far out (OpenCV 5.0, measured). What is seen of a vehicle would be larger in a small frame than in a large one.
"""

from __future__ import annotations

from itertools import pairwise
from math import hypot
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.sim.camera.outline import Bounds
    from devices.sim.camera.pose import Floats, Image


def convex_coverage(outline: Floats, region: Bounds, soft_px: float = 0.0) -> Image:
    """The share (height, width; 255 for all) of each pixel of a region that a convex outline (n, 2) covers.

    The outline may go either way round. Its edges are soft over `soft_px`, besides what a pixel blurs them: half of an
    edge is where the outline is. Exact along rows and columns and for strips narrower than a pixel; corners are a
    little too round.
    """
    points = (outline - (region.left + 0.5, region.top + 0.5)).tolist()
    # Two corners may have fallen together.
    sides = [(start, end) for start, end in pairwise([points[-1], *points]) if start != end]
    shape = (region.bottom - region.top, region.right - region.left)
    if not sides:
        return np.zeros(shape, np.uint8)
    twice_area = sum(x * next_y - y * next_x for (x, y), (next_x, next_y) in sides)
    edges = np.array([_edge(*side, soft_px) for side in sides]) * (-1.0 if twice_area < 0.0 else 1.0)
    down = edges[:, 1:2] * np.arange(shape[0])
    across = edges[:, :1] * np.arange(shape[1]) + edges[:, 2:] + 0.5
    beyond = across.astype(np.float32)[:, None, :] + down.astype(np.float32)[:, :, None]
    outside = np.clip(beyond, 0.0, 1.0, out=beyond).sum(axis=0)
    return np.asarray(255.5 - 255.0 * np.minimum(outside, 1.0), np.uint8)


def _edge(start: Sequence[float], end: Sequence[float], soft_px: float) -> tuple[float, float, float]:
    """How far beyond an edge a point is, as (of x, of y, constant): 1 for what the edge rises over."""
    ahead_x, ahead_y = end[0] - start[0], end[1] - start[1]
    # A pixel's extent across the edge, and its softness, as variances add up.
    ramp = hypot(abs(ahead_x) + abs(ahead_y), soft_px * hypot(ahead_x, ahead_y))
    return ahead_y / ramp, -ahead_x / ramp, (start[1] * ahead_x - start[0] * ahead_y) / ramp


def disc_coverage(middle: Floats, radius_px: float, region: Bounds) -> Image:
    """The same of a disc about `middle` (2,)."""
    u, v = middle - (region.left + 0.5, region.top + 0.5)
    distances = np.hypot(np.arange(region.right - region.left) - u, np.arange(region.bottom - region.top)[:, None] - v)
    return np.asarray(255.5 - 255.0 * np.clip(0.5 + distances - radius_px, 0.0, 1.0), np.uint8)
