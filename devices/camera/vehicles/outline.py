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


_SIZES = (Size(1.1, 2.6, 2.2), Size(2.35, 5.6, 2.4), Size(float("inf"), 13.0, 3.9))
"""Cycles, cars and vans, lorries and buses."""


def outline(view: View, left: float, right: float, bottom: float) -> Array:
    """Pixels (n, 2) around a vehicle whose nearer end is from column `left` to `right` on the road at row `bottom`."""
    width_m = (right - left) / view.pixels_by_metre(np.array([(left + right) / 2, bottom]))
    size = next(one for one in _SIZES if width_m <= one.width_m)
    return view.outline(left, right, bottom, size.length_m, size.height_m, SWAY_M)
