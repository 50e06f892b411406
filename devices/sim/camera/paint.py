"""The pictures that bodies are covered with: sides with windows and wheels, ends with lamps, glass, roofs."""

from __future__ import annotations

from math import cos, sin
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from devices.sim.camera.pose import Image
    from devices.sim.camera.texture import FloatImage

_PX_PER_M = 52
_FINER = 8
_GLASS = (62, 54, 46, 255)
_SHEEN = (96, 86, 76, 255)
_TYRE = (26, 26, 26, 255)
_RIM = (140, 140, 140, 255)
_TRIM = (40, 40, 40, 255)

Colour = tuple[int, int, int]
Points = tuple[tuple[float, float], ...]


def plain(width_m: float, height_m: float, colour: Colour, seed: int) -> Image:
    """Paint with grain and a slow change of brightness from top to bottom, as reflections give it."""
    rows, columns = max(round(height_m * _PX_PER_M), 8), max(round(width_m * _PX_PER_M), 8)
    random = np.random.default_rng(seed)
    coarse = np.asarray(cv2.resize(random.normal(0, 6, (5, 7)), (columns, rows), interpolation=cv2.INTER_CUBIC))
    grain = random.normal(0, 2.5, (rows, columns))
    gradient = np.linspace(12, -14, rows)[:, None]
    canvas = np.full((rows, columns, 4), 255, np.uint8)
    tinted = np.array(colour) + (coarse + grain + gradient)[:, :, None]
    canvas[:, :, :3] = np.clip(tinted, 0, 255).astype(np.uint8)
    return canvas


def covered(canvas: Image, points: Points, size_m: tuple[float, float]) -> FloatImage:
    """How much (rows, columns; 0 to 1) of each pixel of a canvas of `size_m` (length, height) a polygon covers.

    The polygon is in metres, along from the canvas's left and up from its foot.
    """
    rows, columns = canvas.shape[:2]
    finer = np.zeros((rows * _FINER, columns * _FINER), np.uint8)
    corners = np.array(points) * (1.0, -1.0) + (0.0, size_m[1])
    pixels = corners / size_m * (columns, rows) * _FINER - 0.5
    cv2.fillPoly(finer, [np.round(pixels * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    return np.asarray(cv2.resize(finer, (columns, rows), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def fill(canvas: Image, points: Points, size_m: tuple[float, float], colour: tuple[int, ...]) -> None:
    """Paint a polygon as `covered` has it."""
    share = covered(canvas, points, size_m)[:, :, None]
    canvas[:] = np.round(canvas + (np.array(colour, np.float32) - canvas) * share)


def _disc(along_m: float, up_m: float, radius_m: float) -> Points:
    angles = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
    return tuple((along_m + radius_m * cos(angle), up_m + radius_m * sin(angle)) for angle in angles.tolist())


def side(profile: Points, windows: tuple[Points, ...], wheels_m: Points, colour: Colour, seed: int) -> Image:
    """A body's side: opaque within its profile, with windows and wheels (place along, radius) down to the ground."""
    length, height = size_m = max(x for x, _ in profile), max(z for _, z in profile)
    canvas = plain(length, height, colour, seed)
    for window in windows:
        fill(canvas, window, size_m, _GLASS)
    low = min(z for _, z in profile)
    fill(canvas, ((0.1, low), (length - 0.1, low), (length - 0.1, low + 0.12), (0.1, low + 0.12)), size_m, _TRIM)
    for gap in (0.36 * length, 0.56 * length):
        fill(canvas, ((gap, 0.4), (gap + 0.02, 0.4), (gap + 0.02, 0.8), (gap, 0.8)), size_m, _TRIM)
    opaque = covered(canvas, profile, size_m)
    for along, radius in wheels_m:
        wheel = _disc(along, radius, radius)
        fill(canvas, wheel, size_m, _TYRE)
        fill(canvas, _disc(along, radius, 0.58 * radius), size_m, _RIM)
        opaque = np.maximum(opaque, covered(canvas, wheel, size_m))
    canvas[:, :, 3] = np.round(opaque * 255)
    return canvas


def end(width_m: float, height_m: float, colour: Colour, seed: int, *, front: bool) -> Image:
    """A body's front or rear below its glass: lamps at both sides, a grille or a bumper between."""
    canvas, size_m = plain(width_m, height_m, colour, seed), (width_m, height_m)
    lamp = (225, 228, 230, 255) if front else (35, 30, 150, 255)
    top = height_m * 0.92
    for left in (0.06, width_m - 0.40):
        fill(canvas, ((left, top - 0.17), (left + 0.34, top - 0.17), (left + 0.34, top), (left, top)), size_m, lamp)
    if front:
        grille = ((0.5, top - 0.2), (width_m - 0.5, top - 0.2), (width_m - 0.55, top - 0.02), (0.55, top - 0.02))
        fill(canvas, grille, size_m, _TRIM)
    fill(canvas, ((0, 0), (width_m, 0), (width_m, 0.09), (0, 0.09)), size_m, _TRIM)
    return canvas


def glass(width_m: float, height_m: float, colour: Colour, seed: int) -> Image:
    """A pane in a frame of paint."""
    canvas, size_m = plain(width_m, height_m, colour, seed), (width_m, height_m)
    rim = 0.07
    pane = ((rim, rim), (width_m - rim, rim), (width_m - rim, height_m - rim), (rim, height_m - rim))
    fill(canvas, pane, size_m, _GLASS)
    foot, head = (0.2 * width_m, 0.3 * width_m), (0.55 * width_m, 0.4 * width_m)
    sheen = ((foot[0], rim), (foot[1], rim), (head[0], height_m - rim), (head[1], height_m - rim))
    fill(canvas, sheen, size_m, _SHEEN)
    return canvas
