"""Something seen in one frame, and where on the road it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from devices.camera.vehicles.segment import Segment
    from devices.camera.vehicles.view import View

    Array = npt.NDArray[np.float64]

COARSE_PX, FINE_PX, CARRIED_PX, HIDDEN_PX = (1.5, 1.5), (1.0, 0.4), (1.0, 0.8), (3.0, 8.0)
"""Standard deviations across and down of a contact point: by the mask's edge; by the picture; carried along with the
vehicle's picture from the frame before; where the lower edge is not the vehicle's."""
DIM_PX = (1.0, 1.5)
"""The same by the picture, or carried along, by lamplight: what lamps light up on the road moves the edge by metres,
and a track that believes in it is lost when the edge comes back."""


class Sighting(NamedTuple):
    """`contact` (2,): pixel of the small image; `place` (2,): the same on the road, metres; `spread` its covariance.

    `is_whole`: it stands alone and uncut in the frame, so that its contact point may be measured from. `tells_place` is
    false where the contact point is no more than where the frame ends.
    """

    segment: Segment
    contact: Array
    place: Array
    spread: Array
    is_whole: bool
    tells_place: bool = True


def sighting(
    segment: Segment, contact: Array, deviation_px: tuple[float, float], view: View, *, is_whole: bool
) -> Sighting:
    """The sighting of `segment` at a contact point of these standard deviations."""
    by_pixel = view.metres_by_pixel(contact)
    spread = by_pixel @ np.diag(np.square(deviation_px)) @ by_pixel.T
    return Sighting(segment, contact, view.ground(contact)[0], np.asarray(spread), is_whole)
