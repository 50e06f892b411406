"""Where a vehicle that is followed should be seen in the next frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from devices.camera.vehicles.extent import Extent

    Array = npt.NDArray[np.float64]


class Expected(NamedTuple):
    """`has_stood_apart`: it was seen alone, so that its size is known.

    `contact` (2,): where it should stand, pixels;
    `front_px`: how wide its nearer end should be; `has_shone`: its lamps were seen.
    """

    extent: Extent
    has_stood_apart: bool
    contact: Array
    front_px: float
    has_shone: bool
