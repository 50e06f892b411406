"""What a survey observed, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """What was measured; every sigma is a standard uncertainty.

    `pixels` (n, 2) of the marks; their `coordinates_m` (n, 2) on the ground, NaN where not surveyed, with
    `coordinate_sigmas_m` (n); `distances_m` (m) between the marks whose indices are `ends` (m, 2). There is a distance,
    or there are coordinates of two marks.
    """

    frame_size: tuple[int, int]
    pixels: Array
    sigma_px: float
    coordinates_m: Array
    coordinate_sigmas_m: Array
    ends: npt.NDArray[np.intp]
    distances_m: Array
    distance_sigmas_m: Array
