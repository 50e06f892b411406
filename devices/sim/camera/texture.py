"""Flat pictures hung in space: warped to where the camera sees them, and laid over a frame."""

from __future__ import annotations

from math import dist, log2
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.sim.camera.outline import NEAREST_M, bounds, clipped

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.sim.camera.outline import Bounds
    from devices.sim.camera.pose import Floats, Image, Pose

    FloatImage = npt.NDArray[np.float32]

_SMALLEST_PX = 4
_ENLARGED = -1


class Texture:
    """A picture with alpha (height x width x 4), in sizes that halve across, down, or both.

    In what it gives, alpha is multiplied in, and a rim is added, so that edges are drawn soft.
    """

    def __init__(self, picture: Image) -> None:
        self._picture = picture.copy()
        self._picture[:, :, :3] = cv2.multiply(picture[:, :, :3], picture[:, :, [3, 3, 3]], scale=1 / 255)
        self._sizes: dict[tuple[int, int], Image] = {}

    @property
    def largest(self) -> Image:
        """The whole picture, for one who looks closely."""
        return self._size(_ENLARGED, _ENLARGED)

    def size_for(self, drawn: Floats) -> Image:
        """It as large as the quadrilateral (4, 2; pixels) that it will fill, or less than twice as large."""
        first, second, third, fourth = drawn.tolist()
        across, down = max(dist(first, second), dist(third, fourth)), max(dist(second, third), dist(fourth, first))
        height, width = self._picture.shape[:2]
        return self._size(_halvings(width, across), _halvings(height, down))

    def _size(self, across: int, down: int) -> Image:
        if (across, down) not in self._sizes:
            height, width = self._picture.shape[:2]
            extent = (width >> max(across, 0), height >> max(down, 0))
            smaller = cv2.resize(self._picture, extent, interpolation=cv2.INTER_AREA)
            rim = np.outer(_edges(extent[1], down), _edges(extent[0], across))
            rimmed = cv2.copyMakeBorder(smaller, 1, 1, 1, 1, cv2.BORDER_REPLICATE) * rim[:, :, None]
            self._sizes[across, down] = np.round(rimmed).astype(np.uint8)
        return self._sizes[across, down]


def _halvings(full_px: int, drawn_px: float) -> int:
    """How often a side is halved to be seen as `drawn_px`; _ENLARGED where it is not as long as that."""
    shrink = full_px / max(drawn_px, 1.0)
    return _ENLARGED if shrink < 1.0 else int(log2(min(shrink, full_px / _SMALLEST_PX)))


def _edges(length: int, halvings: int) -> FloatImage:
    """Alpha along one side with its rim, half at its ends, by a ramp as wide as pixels lie apart.

    A narrower one falls between two pixels' centres, and the edge seems to lie up to half a pixel beside its place.
    """
    outermost = (0.0, 1.0) if halvings == _ENLARGED else (0.25, 0.75)
    return np.array([*outermost, *[1.0] * (length - 2), *outermost[::-1]], np.float32)


def hang(frame: Image, pose: Pose, texture: Texture, corners: Floats, shade: float) -> None:
    """Draw a texture, its colours times `shade`, on a parallelogram in space.

    `corners` (4, 3): in metres, from its top left corner, clockwise.
    """
    found = warped(frame, pose, texture, corners)
    if found is None:
        return
    region, seen = found
    through = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(seen, 3)), cv2.COLOR_GRAY2BGR)
    part = region.of(frame)
    colours = cv2.convertScaleAbs(cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR), alpha=shade)
    part[:] = cv2.add(cv2.multiply(part, through, scale=1 / 255), colours)


def warped(frame: Image, pose: Pose, texture: Texture, corners: Floats) -> tuple[Bounds, Image] | None:
    """Where in a frame a texture is seen, and how (alpha multiplied in); None for nowhere.

    What of it is behind the lens is cut off.
    """
    depths = pose.depths(corners)
    is_cut = bool(depths.min() < NEAREST_M)
    visible = clipped(corners, depths) if is_cut else corners
    if len(visible) < 3:  # noqa: PLR2004 - nothing is left of it
        return None
    outline = pose.project(visible)
    region = bounds(outline, 2, frame)
    if region is None:
        return None
    picture = texture.largest if is_cut else texture.size_for(outline)
    warp = _warp(pose, corners, picture.shape[:2], region)
    extent = (region.right - region.left, region.bottom - region.top)
    seen = cv2.warpPerspective(picture, warp, extent, flags=cv2.INTER_LINEAR)
    if is_cut:
        mask = np.zeros(seen.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, region.fixed_point(outline), 255, cv2.LINE_8, 4)
        seen = cv2.bitwise_and(seen, seen, mask=mask)
    return region, np.asarray(seen, np.uint8)


def _warp(pose: Pose, corners: Floats, size: tuple[int, ...], region: Bounds) -> Floats:
    """From a texture's pixels to a region's: the plane's points in homogeneous coordinates, exact on both sides."""
    rows, columns = size
    across, down = (corners[1] - corners[0]) / (columns - 2), (corners[3] - corners[0]) / (rows - 2)
    # Pixel i's centre is i to OpenCV and i + 0.5 to us; the transparent rim is outside the corners.
    plane = np.array((across, down, corners[0] - pose.position - (across + down) / 2)).T
    warp = pose.to_pixels @ plane
    warp[0] -= (region.left + 0.5) * warp[2]
    warp[1] -= (region.top + 0.5) * warp[2]
    return np.asarray(warp)
