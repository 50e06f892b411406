"""The pictures that bodies are covered with: sides with windows and wheels, ends with lamps, glass, roofs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from devices.sim.camera.pose import Image

_PX_PER_M = 52
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


def _pixels(points: Points, height_m: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Points in metres (along, up) as fixed-point pixels of a canvas whose foot is at 0."""
    scaled = [(x * _PX_PER_M * 16, (height_m - z) * _PX_PER_M * 16) for x, z in points]
    return np.round(scaled).astype(np.int32)


def fill(canvas: Image, points: Points, height_m: float, colour: tuple[int, ...]) -> None:
    """A polygon in metres (along from the canvas's left, up from its foot)."""
    cv2.fillPoly(canvas, [_pixels(points, height_m)], colour, cv2.LINE_AA, 4)


def side(profile: Points, windows: tuple[Points, ...], wheels_m: Points, colour: Colour, seed: int) -> Image:
    """A body's side: opaque within its profile, with windows and wheels (place along, radius) down to the ground."""
    length, height = max(x for x, _ in profile), max(z for _, z in profile)
    canvas = plain(length, height, colour, seed)
    alpha = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [_pixels(profile, height)], 255, cv2.LINE_AA, 4)
    canvas[:, :, 3] = alpha
    for window in windows:
        fill(canvas, window, height, _GLASS)
    low = min(z for _, z in profile)
    fill(canvas, ((0.1, low), (length - 0.1, low), (length - 0.1, low + 0.12), (0.1, low + 0.12)), height, _TRIM)
    for gap in (0.36 * length, 0.56 * length):
        fill(canvas, ((gap, 0.4), (gap + 0.02, 0.4), (gap + 0.02, 0.8), (gap, 0.8)), height, _TRIM)
    for along, radius in wheels_m:
        centre = (round(along * _PX_PER_M), round((height - radius) * _PX_PER_M))
        cv2.circle(canvas, centre, round(radius * _PX_PER_M), _TYRE, -1, cv2.LINE_AA)
        cv2.circle(canvas, centre, round(radius * 0.58 * _PX_PER_M), _RIM, -1, cv2.LINE_AA)
    return canvas


def end(width_m: float, height_m: float, colour: Colour, seed: int, *, front: bool) -> Image:
    """A body's front or rear below its glass: lamps at both sides, a grille or a bumper between."""
    canvas = plain(width_m, height_m, colour, seed)
    lamp = (225, 228, 230, 255) if front else (35, 30, 150, 255)
    top = height_m * 0.92
    for left in (0.06, width_m - 0.40):
        fill(canvas, ((left, top - 0.17), (left + 0.34, top - 0.17), (left + 0.34, top), (left, top)), height_m, lamp)
    if front:
        grille = ((0.5, top - 0.2), (width_m - 0.5, top - 0.2), (width_m - 0.55, top - 0.02), (0.55, top - 0.02))
        fill(canvas, grille, height_m, _TRIM)
    fill(canvas, ((0, 0), (width_m, 0), (width_m, 0.09), (0, 0.09)), height_m, _TRIM)
    return canvas


def glass(width_m: float, height_m: float, colour: Colour, seed: int) -> Image:
    """A pane in a frame of paint."""
    canvas = plain(width_m, height_m, colour, seed)
    rim = 0.07
    pane = ((rim, rim), (width_m - rim, rim), (width_m - rim, height_m - rim), (rim, height_m - rim))
    fill(canvas, pane, height_m, _GLASS)
    foot, head = (0.2 * width_m, 0.3 * width_m), (0.55 * width_m, 0.4 * width_m)
    sheen = ((foot[0], rim), (foot[1], rim), (head[0], height_m - rim), (head[1], height_m - rim))
    fill(canvas, sheen, height_m, _SHEEN)
    return canvas
