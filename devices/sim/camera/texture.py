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


class Texture:
    """A picture with alpha (height x width x 4), in sizes that halve.

    In `levels` alpha is multiplied in, and a transparent rim added, so that edges are drawn soft.
    """

    def __init__(self, picture: Image) -> None:
        levels = [cv2.copyMakeBorder(picture, 1, 1, 1, 1, cv2.BORDER_REPLICATE).astype(np.float32)]
        while min(levels[-1].shape[:2]) >= 2 * _SMALLEST_PX:
            height, width = levels[-1].shape[:2]
            smaller = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            levels.append(smaller.astype(np.float32))
        self.levels = tuple(_premultiplied(level) for level in levels)

    def level_for(self, drawn: Floats) -> int:
        """The level that is just larger than the quadrilateral (4, 2; pixels) that it will fill."""
        first, second, third, fourth = drawn.tolist()
        across, down = max(dist(first, second), dist(third, fourth)), max(dist(second, third), dist(fourth, first))
        full_height, full_width = self.levels[0].shape[:2]
        shrink = min(full_width / max(across, 1.0), full_height / max(down, 1.0))
        return min(int(log2(max(shrink, 1.0))), len(self.levels) - 1)


def _premultiplied(picture: FloatImage) -> Image:
    picture[:, :, :3] *= picture[:, :, 3:] / 255
    picture[[0, -1]] = 0
    picture[:, [0, -1]] = 0
    return picture.astype(np.uint8)


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
    region = bounds(outline, 1, frame)
    if region is None:
        return None
    picture = texture.levels[0 if is_cut else texture.level_for(outline)]
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
    plane = np.column_stack((across, down, corners[0] - pose.position - (across + down) / 2))
    warp = pose.axes @ plane
    centre_u, centre_v = pose.width_px / 2 - region.left - 0.5, pose.height_px / 2 - region.top - 0.5
    warp[0] = pose.focal_px * warp[0] + centre_u * warp[2]
    warp[1] = pose.focal_px * warp[1] + centre_v * warp[2]
    return np.asarray(warp)
