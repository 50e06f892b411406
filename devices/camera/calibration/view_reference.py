"""What a camera looked at when a person confirmed its calibration: no picture, but patches of edge directions.

They are the mean over many frames, so that what moves (people, vehicles) leaves nothing in them. The file lies beside
the calibration's, with `.view` in place of `.toml`, and names the calibration by its hash:

    16 bytes   "wayside-view-1", zeros
    32 bytes   SHA-256 of the calibration's file
    6 bytes    width and height in pixels, number n of patches: little-endian, 2 bytes each
    4 n bytes  left top corner of each patch, x and y: little-endian, 2 bytes each
    3200 n     the patches, row by row, two signed bytes a pixel
    32 bytes   SHA-256 of all before
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import cv2
import numpy as np

from devices.camera.calibration.edge_directions import edge_directions
from ledger_sync.proof.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy.typing as npt

    from devices.camera.calibration.edge_directions import Directions
    from devices.camera.frame import Image

VIEW_WIDTH_PX = 640
"""Frames are compared at this width, whatever the stream's: noise is averaged out, and detail that moves."""
PATCH_PX = 40
_PATCHES_MAX = 48
PATCHES_MIN = 8
_MARGIN_PX = 16
_CORNER_MIN = 0.05
_SCALE = 127
_FILE_BYTES_MAX = 1 << 20
_MAGIC = b"wayside-view-1\0\0"
_HEAD = struct.Struct("<16s32sHHH")
_CORNER_BYTES = 4
_DIGEST_BYTES = 32
_MEND = "confirm the view again with `wayside camera calibrate --confirm`"


@dataclass(frozen=True, slots=True, eq=False)
class ViewReference:
    """Patches (n, PATCH_PX, PATCH_PX, 2) of edge directions, -127 to 127, and their left top corners (n, 2).

    `size` is the width and height at which they were taken, `calibration_sha256` what a person confirmed with them.
    """

    calibration_sha256: bytes
    size: tuple[int, int]
    corners: npt.NDArray[np.int16]
    patches: npt.NDArray[np.int8]

    def save(self, path: Path) -> None:
        """Write the file. Raises OSError."""
        body = b"".join(
            (
                _HEAD.pack(_MAGIC, self.calibration_sha256, *self.size, len(self.patches)),
                self.corners.astype("<i2").tobytes(),
                self.patches.tobytes(),
            )
        )
        path.write_bytes(body + sha256(body).digest())


def view_file(calibration_file: Path) -> Path:
    """Where the confirmed view of a calibration lies."""
    return calibration_file.with_suffix(".view")


def view_size(image: Image) -> tuple[int, int]:
    """Width and height at which frames like this one are compared."""
    return VIEW_WIDTH_PX, round(image.shape[0] * VIEW_WIDTH_PX / image.shape[1])


def make_reference(images: Iterable[Image], calibration_sha256: bytes) -> ViewReference | None:
    """The reference of some seconds of frames (blue, green, red; all of one size); None if they show too few edges."""
    total: Directions | None = None
    count = 0
    for image in images:
        directions = edge_directions(image, view_size(image))
        total = directions if total is None else total + directions
        count += 1
    if total is None:
        return None
    mean = total / np.float32(count)
    corners = _distinct_corners(mean)
    if len(corners) < PATCHES_MIN:
        return None
    patches = np.array([mean[y : y + PATCH_PX, x : x + PATCH_PX] for x, y in corners])
    return ViewReference(
        calibration_sha256,
        (mean.shape[1], mean.shape[0]),
        corners.astype(np.int16),
        np.round(patches * _SCALE).astype(np.int8),
    )


def _distinct_corners(directions: Directions) -> npt.NDArray[np.intp]:
    """Where patches lie that fit in one place only: with edges in more than one direction, and many."""
    strength = np.hypot(directions[..., 0], directions[..., 1])
    window = (PATCH_PX, PATCH_PX)
    total = cv2.boxFilter(strength, -1, window)
    together = np.hypot(*(cv2.boxFilter(directions[..., channel], -1, window) for channel in (0, 1)))
    # The structure tensor's smaller eigenvalue: what of the strength does not point one way.
    distinctness = (total - together) / 2
    height, width = strength.shape
    half = PATCH_PX // 2
    edge = half + _MARGIN_PX
    found: list[tuple[int, int]] = []
    inside = distinctness[edge : height - edge, edge : width - edge].copy()
    while len(found) < _PATCHES_MAX and inside.size:
        y, x = np.unravel_index(int(inside.argmax()), inside.shape)
        if inside[y, x] < _CORNER_MIN:
            break
        found.append((int(x) + _MARGIN_PX, int(y) + _MARGIN_PX))
        inside[max(0, y - half) : y + half, max(0, x - half) : x + half] = 0.0
    return np.array(found, dtype=np.intp).reshape(-1, 2)


def load_reference(calibration_file: Path, calibration_sha256: bytes) -> ViewReference:
    """The confirmed view of a calibration. Raises SettingsError if there is none, or it is of another version."""
    reference = last_reference(calibration_file)
    if reference.calibration_sha256 != calibration_sha256:
        path = view_file(calibration_file)
        raise SettingsError(str(path), (f"was confirmed for another version of {calibration_file.name}; {_MEND}",))
    return reference


def last_reference(calibration_file: Path) -> ViewReference:
    """What was confirmed last, for whatever version of the calibration. Raises SettingsError if there is nothing."""
    path = view_file(calibration_file)
    try:
        with path.open("rb") as file:
            raw = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(str(path), (f"cannot be read ({error.strerror}); {_MEND}",)) from error
    return _unpacked(path, raw)


def _unpacked(path: Path, raw: bytes) -> ViewReference:
    body, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    if len(body) < _HEAD.size or sha256(body).digest() != digest:
        raise SettingsError(str(path), (f"is no confirmed view; {_MEND}",))
    magic, calibration_sha256, width, height, count = _HEAD.unpack_from(body)
    patches_at = _HEAD.size + count * _CORNER_BYTES
    if (
        magic != _MAGIC
        or not PATCHES_MIN <= count <= _PATCHES_MAX
        or len(body) != patches_at + count * PATCH_PX * PATCH_PX * 2
    ):
        raise SettingsError(str(path), (f"is no confirmed view; {_MEND}",))
    corners = np.frombuffer(body[_HEAD.size : patches_at], "<i2").reshape(count, 2)
    patches = np.frombuffer(body[patches_at:], np.int8).reshape(count, PATCH_PX, PATCH_PX, 2)
    if (corners < 0).any() or (corners + PATCH_PX > (width, height)).any():
        raise SettingsError(str(path), (f"is no confirmed view; {_MEND}",))
    return ViewReference(calibration_sha256, (width, height), corners.astype(np.int16), patches)
