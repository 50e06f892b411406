"""The working picture of a violation: the vehicle, the lamp and the lines are kept, everybody else is blurred.

What is kept is named, so that whatever nobody thought of is blurred: people on foot, other vehicles, windows of houses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from devices.camera.frame_shelf import JPEG_QUALITY
from devices.camera.pictures.boxes import boxes_at
from devices.camera.pictures.data_bar import with_data_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.calibration.lanes import Line, Point
    from devices.camera.frame import Image
    from devices.camera.frame_shelf import Still
    from devices.camera.track import Box, Track

CELLS = 40
"""How many cells of even colour a picture is wide where it is blurred: a face or a plate is less than one of them."""

_MARGIN = 0.08
_WINDSCREEN = 0.55
"""The upper part of a vehicle's box from its front, in which people can be seen."""

_LINE_PX = 2
_STOP_COLOUR = (0, 0, 255)
_BOX_COLOUR = (0, 255, 255)


class Kept(NamedTuple):
    """What is to be seen, of all that is there.

    `vehicle` is the number of its track, among `tracks`. `size`: width and height of the frames that the tracks' boxes,
    the `lamp`'s outline and the lines (which are drawn) are in pixels of; the stills may be of a larger stream.
    `people`: whether those in the vehicle are to be seen as well.
    """

    vehicle: int
    tracks: Sequence[Track]
    size: tuple[int, int]
    lamp: Sequence[Point]
    lines: Sequence[Line]
    people: bool


def working_picture(stills: Sequence[Still], kept: Kept, rows: Sequence[str]) -> bytes:
    """JPEG of the stills one below the other, with a data bar of `rows`."""
    pictures = [_blurred(still, kept) for still in stills]
    whole = with_data_bar(np.vstack(pictures), rows)
    _, encoded = cv2.imencode(".jpg", whole, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return encoded.tobytes()


def _blurred(still: Still, kept: Kept) -> Image:
    image = still.image()
    height, width = image.shape[:2]
    scale = width / kept.size[0], height / kept.size[1]
    boxes = boxes_at(kept.tracks, still.utc_us, scale)
    cells = cv2.resize(image, (CELLS, max(1, CELLS * height // width)), interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    clear = np.zeros((height, width), np.uint8)
    if kept.lamp:
        cv2.fillPoly(clear, [(np.array(kept.lamp) * scale).astype(np.int32)], 255)
    box = boxes.pop(kept.vehicle, None)
    if box is not None:
        shown_from = box.top + int(_WINDSCREEN * (box.bottom - box.top))
        _fill(clear, _grown(box) if kept.people else _grown(box)._replace(top=shown_from), 255)
    for other in boxes.values():
        _fill(clear, _grown(other), 0)
    shown: Image = np.where(clear[:, :, None] > 0, image, blurred)
    for line in kept.lines:
        cv2.line(shown, _pixel(line.start, scale), _pixel(line.end, scale), _STOP_COLOUR, _LINE_PX, cv2.LINE_AA)
    if box is not None:
        cv2.rectangle(shown, (box.left, box.top), (box.right, box.bottom), _BOX_COLOUR, 1)
    return shown


def _grown(box: Box) -> Box:
    x_px, y_px = int(_MARGIN * (box.right - box.left)), int(_MARGIN * (box.bottom - box.top))
    return box._replace(left=box.left - x_px, top=box.top - y_px, right=box.right + x_px, bottom=box.bottom + y_px)


def _fill(mask: Image, box: Box, value: int) -> None:
    mask[max(0, box.top) : max(0, box.bottom), max(0, box.left) : max(0, box.right)] = value


def _pixel(point: Point, scale: tuple[float, float]) -> tuple[int, int]:
    return round(point[0] * scale[0]), round(point[1] * scale[1])
