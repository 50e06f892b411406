"""Draws over a frame, for a person to look at: the ground's grid, marks, and lanes with their lines and zones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from devices.camera.calibration.ground_plane import GroundPlane
    from devices.camera.calibration.lanes import Lane, Point
    from devices.camera.frame import Image

Colour = tuple[int, int, int]
"""Blue, green, red."""

GRID_1_M: Colour = (150, 150, 90)
GRID_5_M: Colour = (230, 230, 60)
MARK: Colour = (60, 60, 255)
LANE_COLOURS: dict[str, Colour] = {
    "count_line": (80, 220, 80),
    "stop_line": (60, 60, 255),
    "second_line": (60, 160, 255),
    "speed_zone": (255, 160, 60),
}
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_SUBPIXEL_BITS = 4
_SAMPLE_PX = 12
_FINEST_PX = 5.0
"""Grid lines closer together than this are left out."""
_FARTHEST_M = 200.0


def draw_grid(image: Image, plane: GroundPlane) -> None:
    """Lines every metre, brighter every five, as far as they can be told apart; in place."""
    for spacing_m, colour in ((1.0, GRID_1_M), (5.0, GRID_5_M)):
        segments = _grid_segments(image, plane, spacing_m)
        if len(segments):
            _polylines(image, segments, colour, is_closed=False)


def _grid_segments(image: Image, plane: GroundPlane, spacing_m: float) -> npt.NDArray[np.float64]:
    """Pieces (n, 2, 2) of grid lines, in pixels, where neighbours are far enough apart in the frame to be seen."""
    height, width = image.shape[:2]
    samples = np.stack(np.meshgrid(np.arange(0, width, _SAMPLE_PX), np.arange(0, height, _SAMPLE_PX)), axis=-1)
    pixels = samples.reshape(-1, 2).astype(np.float64)
    ground = plane.to_ground(pixels)
    is_clear = plane.point_uncertainty_m(pixels, _FINEST_PX) < spacing_m
    near = ground[is_clear]
    near = near[(np.abs(near - np.median(near, axis=0)) < _FARTHEST_M).all(axis=1)] if len(near) else near
    if not len(near):
        return np.zeros((0, 2, 2))
    low, high = np.floor(near.min(axis=0) / spacing_m), np.ceil(near.max(axis=0) / spacing_m)
    xs, ys = (np.arange(low[axis], high[axis] + 1) * spacing_m for axis in (0, 1))
    crossings = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1)
    along_y = np.stack([crossings[:, :-1], crossings[:, 1:]], axis=2).reshape(-1, 2, 2)
    along_x = np.stack([crossings[:-1], crossings[1:]], axis=2).reshape(-1, 2, 2)
    ends = plane.to_image(np.concatenate([along_y, along_x]).reshape(-1, 2))
    is_drawn = np.isfinite(ends).all(axis=1) & (ends > -width).all(axis=1) & (ends < 2 * width).all(axis=1)
    is_drawn &= plane.point_uncertainty_m(np.nan_to_num(ends), _FINEST_PX) < spacing_m
    segments: npt.NDArray[np.float64] = ends.reshape(-1, 2, 2)[is_drawn.reshape(-1, 2).all(axis=1)]
    return segments


def draw_lanes(image: Image, lanes: Iterable[Lane]) -> None:
    """Every lane's zone and lines, with its id; in place."""
    for lane in lanes:
        if lane.speed_zone:
            _polylines(image, np.array([lane.speed_zone]), LANE_COLOURS["speed_zone"], is_closed=True)
            draw_label(image, np.mean(lane.speed_zone, axis=0).tolist(), lane.id)
        for name, line in lane.lines.items():
            _polylines(image, np.array([line]), LANE_COLOURS[name], is_closed=False, thickness=2)
            draw_label(image, line.start, f"{lane.id} {name.removesuffix('_line')}")


def draw_marks(image: Image, names: Sequence[str], clicked: npt.NDArray[np.float64]) -> None:
    """A cross at each mark (n, 2), with its name; in place."""
    for name, (x, y) in zip(names, clicked.tolist(), strict=True):
        arms = np.array([[[x - 8, y], [x + 8, y]], [[x, y - 8], [x, y + 8]]])
        _polylines(image, arms, MARK, is_closed=False)
        draw_label(image, (x + 6, y - 6), name)


def draw_label(image: Image, at: Point | Sequence[float], text: str) -> None:
    """White text with a dark edge, its lower left corner at a point; what is not ASCII is shown as a question mark."""
    place = (round(at[0]) + 2, round(at[1]) - 4)
    shown = text.encode("ascii", "replace").decode()
    cv2.putText(image, shown, place, _FONT, 0.5, _BLACK, 3, cv2.LINE_AA)
    cv2.putText(image, shown, place, _FONT, 0.5, _WHITE, 1, cv2.LINE_AA)


def _polylines(
    image: Image, lines: npt.NDArray[np.float64], colour: Colour, *, is_closed: bool, thickness: int = 1
) -> None:
    # Our pixels have their centre at 0.5, those of OpenCV at 0.
    fixed = np.round((lines - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.polylines(image, list(fixed), is_closed, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
