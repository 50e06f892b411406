"""Cutting what a mask shows into vehicles where their lamps tell where each stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from devices.camera.vehicles.fragments import is_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from devices.camera.vehicles.cutting import Cutting
    from devices.camera.vehicles.expected import Expected
    from devices.camera.vehicles.lamps import Lamps
    from devices.camera.vehicles.segment import Segment
    from devices.camera.vehicles.view import View

    Labels = npt.NDArray[np.int32]

_SAME_M = 2.5
"""So near to a vehicle no other's lamps are."""


def label_at(lamps: Lamps, labels: Labels) -> int:
    """What part of the small image the middle of `lamps` is in; at the image's edge where they are beyond it."""
    row = min(max(0, round(lamps.row)), labels.shape[0] - 1)
    column = min(max(0, round(float(lamps.contact[0]))), labels.shape[1] - 1)
    return int(labels[row, column])


def cut_by_lamps(
    cutting: Cutting, lamps: Sequence[Lamps], owners: Sequence[int], vehicles: Sequence[Expected], view: View
) -> list[Segment]:
    """Its share to each of `lamps`, the nearest first; then to each of the owners that has others; then what is left.

    Whose lamps were never seen, and who is expected where a vehicle reaches whose lamps are, is a part of that one.
    """
    for one in lamps:
        cutting.take_lamps(one)
    others = [owner for owner in owners if not any(_is_of(vehicles[owner], one, view) for one in lamps)]
    for owner in sorted(others, key=lambda index: -vehicles[index].extent.bottom):
        cutting.take_expected(owner, vehicles[owner].contact, vehicles[owner].front_px)
    for one in lamps:
        if not one.is_single:
            cutting.drop_around(one)
    return cutting.rest()


def _is_of(vehicle: Expected, lamps: Lamps, view: View) -> bool:
    here, there = view.ground([lamps.contact, vehicle.contact])
    if np.linalg.norm(here - there) < _SAME_M:
        return True
    return not vehicle.has_shone and is_within(vehicle.extent, lamps.front, float(lamps.contact[1]), view)
