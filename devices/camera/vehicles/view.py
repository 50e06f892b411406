"""Between the small image in which vehicles are looked for and the road."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.calibration.ground_plane import by_pixels, nominal_plane

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.calibration.calibration import Calibration

    Array = npt.NDArray[np.float64]

WIDTH_PX = 320


class _Axis:
    """A lane's middle at one of its lines, `ends_m` (2, 2), and the way that it runs there."""

    def __init__(self, ends_m: Array) -> None:
        self._middle = ends_m.mean(axis=0)
        self._across = (ends_m[1] - ends_m[0]) / np.linalg.norm(ends_m[1] - ends_m[0])
        self.along = np.array([-self._across[1], self._across[0]])

    def distance(self, place: Array) -> float:
        """Metres across, from the lane's middle (extended) to `place`."""
        return float(abs(self._across @ (place - self._middle)))


class View:
    """A camera's view, shrunk to `width_px` by `height_px`, and the road in it. Without a survey the nominal plane."""

    def __init__(self, calibration: Calibration) -> None:
        self.frame_width_px, self.frame_height_px = calibration.width_px, calibration.height_px
        self.width_px = WIDTH_PX
        self.height_px = round(WIDTH_PX * calibration.height_px / calibration.width_px)
        self._frame_plane = calibration.plane or nominal_plane(calibration.width_px, calibration.height_px)
        self.to_frame = np.array([calibration.width_px / self.width_px, calibration.height_px / self.height_px])
        self._plane = self._frame_plane.scaled(*(1.0 / self.to_frame))
        lines = [line for lane in calibration.lanes for line in lane.lines.values()]
        self._lanes = [_Axis(self.frame_ground(line)) for line in lines]

    def ground(self, pixels: npt.ArrayLike) -> Array:
        """Metres (n, 2) of pixels (n, 2) of the small image; NaN from the horizon up."""
        return self._plane.to_ground(pixels)

    def frame_ground(self, pixels: npt.ArrayLike) -> Array:
        """Metres (n, 2) of pixels (n, 2) of the camera's frame."""
        return self._frame_plane.to_ground(pixels)

    def image(self, metres: npt.ArrayLike) -> Array:
        """Pixels (n, 2) of the small image of metres (n, 2); NaN behind the camera."""
        return self._plane.to_image(metres)

    def metres_by_pixel(self, pixel: Array) -> Array:
        """How a place on the road moves with its pixel (2,) of the small image: metres a pixel (2, 2)."""
        return np.asarray(by_pixels(self._plane.to_metres, pixel.reshape(1, 2))[0])

    def pixels_by_metre(self, pixel: Array) -> float:
        """How long a metre across the view is at this pixel (2,)."""
        return float(1.0 / np.linalg.norm(self.metres_by_pixel(pixel)[:, 0]))

    def outline(
        self, left: float, right: float, bottom: float, length_m: float, height_m: float, sway_m: float
    ) -> Array:
        """Pixels (n, 2) of the convex outline of a box on the road, `sway_m` wider on both sides.

        Its nearer end stands from column `left` to `right` on row `bottom`; it is as long as `length_m` along its lane.
        Heights are drawn as lengths across the view are, as a camera sees them that does not look steeply down.
        """
        sway = sway_m * self.pixels_by_metre(np.array([(left + right) / 2, bottom]))
        near = self.ground([(left - sway, bottom), (right + sway, bottom)])
        foot = self.image(np.vstack([near, near + length_m * self._away(near.mean(axis=0))]))
        rise = np.array([height_m * self.pixels_by_metre(corner) for corner in foot])
        corners = np.vstack([foot, foot - np.column_stack([np.zeros(4), rise])])
        return np.asarray(cv2.convexHull(corners.astype(np.float32))[:, 0], np.float64)

    def lean(self, pixel: Array) -> float:
        """How many columns to the right the lane at this pixel (2,) goes for each row up; 0 where it is no road."""
        place = self.ground(pixel)[0]
        if not np.isfinite(place).all():
            return 0.0
        across, down = self.image(place + self._away(place))[0] - pixel
        return float(across / -down) if down < 0.0 else 0.0

    def _away(self, place: Array) -> Array:
        """The way (2,), of length 1, along the lane at `place` on which what drives there goes away from the camera."""
        farther = -self.metres_by_pixel(self.image(place)[0])[:, 1]
        along = min(self._lanes, key=lambda lane: lane.distance(place)).along if self._lanes else farther
        return np.asarray(along * np.sign(along @ farther) / np.linalg.norm(along))

    def share_of_contact(self, pixel: Array, row: float) -> float:
        """How far up or down the image what is seen at `row` above a contact point moves, for each pixel that it does.

        What is higher over the road moves less: it is as much farther from the horizon as it is lower.
        """
        across, down, rest = self._plane.to_metres[2]
        if abs(down) < np.finfo(np.float64).eps * abs(rest):
            return 1.0
        horizon = -(across * pixel[0] + rest) / down
        return float(np.clip((row - horizon) / max(pixel[1] - horizon, 1.0), 0.3, 1.0))
