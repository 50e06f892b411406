"""A test card: a picture that tells when it was taken, as blocks that every codec keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from devices.sim.camera.pose import Image

_COLUMNS, _ROWS = 16, 2
_DARK, _BRIGHT = 40, 210


@dataclass(frozen=True)
class TestCard:
    """Pictures of `width_px` by `height_px`, for ever as long as a scene of `duration_s`."""

    __test__ = False  # no test, for pytest

    width_px: int = 640
    height_px: int = 360
    duration_s: float = 60.0

    def render(self, t_s: float) -> Image:
        """The picture taken at `t_s`, from 0 to 4294 seconds."""
        taken_us = round(t_s * 1_000_000)
        bits = [taken_us >> bit & 1 for bit in range(_COLUMNS * _ROWS)]
        blocks = np.where(np.array(bits).reshape(_ROWS, _COLUMNS), _BRIGHT, _DARK).astype(np.uint8)
        block_px = self.width_px // _COLUMNS
        image = np.full((self.height_px, self.width_px, 3), _DARK, np.uint8)
        image[: _ROWS * block_px] = np.kron(blocks, np.ones((block_px, block_px), np.uint8))[..., None]
        return image


def taken_us_of(image: Image) -> int:
    """When a test card was taken, in µs from the beginning of its scene."""
    block_px = image.shape[1] // _COLUMNS
    centres = image[block_px // 2 :: block_px, block_px // 2 :: block_px, 0][:_ROWS]
    return sum(1 << bit for bit, level in enumerate(centres.ravel()) if level > (_DARK + _BRIGHT) // 2)
