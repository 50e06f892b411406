"""The calibration file of a scene's camera, as a surveyor of stated skill would have written it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from devices.sim.camera.outline import NEAREST_M

if TYPE_CHECKING:
    from devices.sim.camera.layout import Layout, SignalHead, SimLane
    from devices.sim.camera.pose import Floats, Pose

_MARGIN_PX = 8
_NEAREST_M, _FARTHEST_M, _ROWS = 4.0, 60.0, 5
_ZONE_M_MIN = 3.0


class SurveyError(NamedTuple):
    """Standard deviations of the surveyor's mistakes: pointing in the picture, and measuring on the ground."""

    pixel_px: float = 0.0
    ground_m: float = 0.0


EXACT = SurveyError()


def calibration_text(layout: Layout, pose: Pose, error: SurveyError = EXACT, seed: int = 1) -> str:
    """TOML: the frame's size, marks on the road, distances between them, and lanes' lines and speed zones.

    Lanes whose count line does not lie in the frame from edge to edge are left out; speed zones end with the frame.
    Raises ValueError where no lane is seen well enough for marks.
    """
    random = np.random.default_rng(seed)
    marks = _marks(layout, pose)
    pixels = pose.project_ground(marks) + random.normal(0, error.pixel_px, marks.shape)
    places = marks + random.normal(0, error.ground_m, marks.shape)
    uncertainty_m = max(2 * error.ground_m, 0.01)
    lines = ["survey_date = 2026-11-20", f"sigma_px = {max(error.pixel_px, 0.2):.2f}", "", "[frame]"]
    lines += [f"width_px = {pose.width_px}", f"height_px = {pose.height_px}"]
    for name, pixel, place in zip(_names(marks), pixels, places, strict=True):
        lines += ["", "[[point]]", f'name = "{name}"', f"x_px = {pixel[0]:.3f}", f"y_px = {pixel[1]:.3f}"]
        lines += [f"x_m = {place[0]:.4f}", f"y_m = {place[1]:.4f}", f"uncertainty_m = {uncertainty_m:.3f}"]
    for start, end in _pairs(marks):
        metres = float(np.linalg.norm(marks[end] - marks[start])) + random.normal(0, error.ground_m)
        names = _names(marks)
        lines += ["", "[[distance]]", f'from = "{names[start]}"', f'to = "{names[end]}"']
        lines += [f"metres = {metres:.4f}", f"uncertainty_m = {uncertainty_m:.3f}"]
    for lane in layout.lanes:
        if not _is_seen(pose, layout.count_line_m, lane.left_m, lane.right_m):
            continue
        lines += ["", "[[lane]]", *_lane(layout, pose, lane)]
    return "\n".join(lines) + "\n"


def _marks(layout: Layout, pose: Pose) -> Floats:
    """Points at both edges of the road (left and right in turn), from the nearest to the farthest in the frame."""
    sides = [layout.edges_m, *((lane.left_m, lane.right_m) for lane in layout.lanes)]
    for left, right in sides:
        ys = [y for y in np.geomspace(_NEAREST_M, _FARTHEST_M, 80) if _is_seen(pose, y, left, right)]
        if len(ys) >= _ROWS:
            rows = np.geomspace(ys[0], ys[-1], _ROWS)
            return np.array([[x, y] for y in rows for x in (left, right)])
    raise ValueError("no lane is seen from edge to edge over any length; turn the camera")


def _is_seen(pose: Pose, y: float, left: float, right: float) -> bool:
    """Whether both ends of a line across the road are in the frame, and not at its very edge."""
    ends = np.array([[left, y], [right, y]])
    if pose.depths(np.column_stack((ends, (0.0, 0.0)))).min() < NEAREST_M:
        return False
    pixels = pose.project_ground(ends)
    size = (pose.width_px - _MARGIN_PX, pose.height_px - _MARGIN_PX)
    return bool((pixels >= _MARGIN_PX).all() and (pixels <= size).all())


def _names(marks: Floats) -> list[str]:
    return [f"{'LR'[index % 2]}{index // 2}" for index in range(len(marks))]


def _pairs(marks: Floats) -> list[tuple[int, int]]:
    """Along both edges from row to row and end to end, across the first and the last row, and both diagonals."""
    last = len(marks) - 2
    along = [(start + side, end + side) for start, end in pairwise(range(0, len(marks), 2)) for side in (0, 1)]
    return [*along, (0, last), (1, last + 1), (0, 1), (last, last + 1), (0, last + 1), (1, last)]


def _lane(layout: Layout, pose: Pose, lane: SimLane) -> list[str]:
    def pixels(*places: tuple[float, float]) -> str:
        return ", ".join(f"[{u:.2f}, {v:.2f}]" for u, v in pose.project_ground(np.array(places)))

    def line(y_m: float) -> str:
        return f"[{pixels((lane.left_m, y_m), (lane.right_m, y_m))}]"

    def is_seen(y_m: float) -> bool:
        return _is_seen(pose, y_m, lane.left_m, lane.right_m)

    lines = [f'id = "{lane.id}"', f"count_line = {line(layout.count_line_m)}"]
    seen = [y for y in np.linspace(*layout.speed_zone_m, 60) if is_seen(y)]
    if seen and seen[-1] - seen[0] >= _ZONE_M_MIN:
        near, far = seen[0], seen[-1]
        corners = ((lane.left_m, near), (lane.left_m, far), (lane.right_m, far), (lane.right_m, near))
        lines.append(f"speed_zone = [{pixels(*corners)}]")
    across = [y for y in (layout.stop_line_m, layout.second_line_m) if y is not None and is_seen(y)]
    if len(across) == 2 and lane.is_signalled:  # noqa: PLR2004 - both, or neither
        lines += [f"stop_line = {line(across[0])}", f"second_line = {line(across[1])}"]
        if layout.signal_head is not None:
            lines.append(f"lamp = {_outline(layout.signal_head, pose)}")
    return lines


def _outline(head: SignalHead, pose: Pose) -> str:
    """Around the housing, as far as it is in the frame."""
    left, right, low, high = head.x_m - 0.4, head.x_m + 0.4, head.height_m - 1.2, head.height_m + 0.4
    corners = np.array([[x, head.y_m, z] for x, z in ((left, high), (right, high), (right, low), (left, low))])
    pixels = np.clip(pose.project(corners), 0, (pose.width_px, pose.height_px))
    return "[" + ", ".join(f"[{u:.2f}, {v:.2f}]" for u, v in pixels) + "]"
