"""Two that are followed in one place are one vehicle, of which a part was taken for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.camera.vehicles.vehicle import Followed


def doubles(followed: Sequence[Followed]) -> list[Followed]:
    """Those that stand where another one does that stays.

    The one that passed more lines stays, then the one whose lamps were seen, then the one that is known to be a
    vehicle, then the older one.
    """
    standing = [one for one in followed if one.stands]
    standing.sort(key=lambda one: (-one.passed, not one.has_shone, not one.is_vehicle, one.track.number))
    staying: list[Followed] = []
    found: list[Followed] = []
    for one in standing:
        is_double = any(one.is_double_of(other) for other in staying)
        (found if is_double else staying).append(one)
    return found
