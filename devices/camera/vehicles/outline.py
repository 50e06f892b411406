"""How much of the view a vehicle may cover, by where its nearer end stands on the road."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]

SWAY_M = 0.35
"""A mask is wider than its vehicle, and less steady."""


class Size(NamedTuple):
    """The largest vehicle of a kind, metres."""

    width_m: float
    length_m: float
    height_m: float


CYCLE_WIDTH_MAX_M, CAR_WIDTH_MAX_M = 1.1, 2.35
CAR_WIDTH_MIN_M, CAR_HEIGHT_MIN_M = 1.4, 0.9
"""Less is not a car, but a part of one."""
_LORRY = Size(float("inf"), 13.0, 3.9)
_LARGEST = (Size(CYCLE_WIDTH_MAX_M, 2.6, 2.2), Size(CAR_WIDTH_MAX_M, 5.6, 2.4), _LORRY)
_USUAL = (Size(CYCLE_WIDTH_MAX_M, 2.0, 1.7), Size(CAR_WIDTH_MAX_M, 4.6, 1.5), _LORRY)
"""Cycles, cars and vans, lorries and buses."""


def outline(view: View, left: float, right: float, bottom: float) -> Array:
    """Pixels (n, 2) around a vehicle whose nearer end is from column `left` to `right` on the road at row `bottom`."""
    return _outline(_LARGEST, view, left, right, bottom)


def largest_outline(view: View, left: float, right: float, bottom: float) -> Array:
    """The same of the largest vehicle, however wide its end seems to be."""
    return _outline((_LORRY,), view, left, right, bottom)


def usual_outline(view: View, left: float, right: float, bottom: float) -> Array:
    """The same of no larger a vehicle than most are, where the next one may begin right behind it."""
    return _outline(_USUAL, view, left, right, bottom)


def _outline(sizes: tuple[Size, ...], view: View, left: float, right: float, bottom: float) -> Array:
    width_m = (right - left) / view.pixels_by_metre(np.array([(left + right) / 2, bottom]))
    size = next(one for one in sizes if width_m <= one.width_m)
    return view.outline(left, right, bottom, size.length_m, size.height_m, SWAY_M)
