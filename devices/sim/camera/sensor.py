"""What the sensor makes of the light: exposure, rain before the lens, noise."""

from __future__ import annotations

from functools import lru_cache
from math import exp
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from devices.sim.camera.light import Light
    from devices.sim.camera.pose import Image

_SETTLING_S = 0.8
_SPARE_PX = 96


def expose(frame: Image, light: Light, jumps: tuple[tuple[float, float], ...], t_s: float, seed: int) -> Image:
    """The picture of a frame of light at `t_s`; gives the frame itself, changed."""
    random = np.random.default_rng((seed, round(t_s * 1_000_000)))
    if light.rain:
        _rain(frame, light.rain, random)
    gain = 1.0
    for since_s, factor in jumps:
        if t_s >= since_s:
            gain *= 1 + (factor - 1) * exp(-(t_s - since_s) / _SETTLING_S)
    if gain != 1.0:
        cv2.convertScaleAbs(frame, frame, gain)
    height, width = frame.shape[:2]
    brighter, darker = _noise(height, width, light.noise, seed)
    top, left = random.integers(0, _SPARE_PX, 2)
    part = np.s_[top : top + height, left : left + width]
    cv2.add(frame, brighter[part], frame)
    return np.asarray(cv2.subtract(frame, darker[part], frame), np.uint8)


@lru_cache(maxsize=4)
def _noise(height: int, width: int, deviation: float, seed: int) -> tuple[Image, Image]:
    """What a field of noise adds and what it takes, larger than a frame: each frame has another part of it."""
    random = np.random.default_rng(seed)
    shape = (height + _SPARE_PX, width + _SPARE_PX, 3)
    field = np.round(random.standard_normal(shape, np.float32) * deviation)
    return np.clip(field, 0, 255).astype(np.uint8), np.clip(-field, 0, 255).astype(np.uint8)


def _rain(frame: Image, streaks: int, random: np.random.Generator) -> None:
    """Streaks that fall nearly upright, anew in each frame."""
    height, width = frame.shape[:2]
    layer = np.zeros((height, width), np.uint8)
    tops = random.uniform((0, -height / 18), (width, height), (streaks, 2))
    lengths = random.uniform(0.01, 0.036, streaks) * width
    for (x, y), length in zip(tops, lengths, strict=True):
        start, stop = (round(x), round(y)), (round(x + length * 0.12), round(y + length))
        cv2.line(layer, start, stop, 25 + round(1200 * length / width), 1, cv2.LINE_AA)
    cv2.add(frame, cv2.cvtColor(layer, cv2.COLOR_GRAY2BGR), frame)
