"""Where vehicles were at a moment, from their tracks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from devices.camera.track import Box

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devices.camera.track import Track

BEYOND_US = 500_000
"""So long before its first and after its last point a vehicle is still taken to be where it was then."""


def boxes_at(tracks: Iterable[Track], utc_us: int, scale: tuple[float, float]) -> dict[int, Box]:
    """The box of each track that was there at `utc_us`, by its number, in a frame `scale` times as wide and high."""
    found = {}
    for track in tracks:
        box = _box_at(track, utc_us)
        if box is not None:
            found[track.number] = Box(
                round(box.left * scale[0]),
                round(box.top * scale[1]),
                round(box.right * scale[0]),
                round(box.bottom * scale[1]),
            )
    return found


def _box_at(track: Track, utc_us: int) -> Box | None:
    points = track.points
    if not points or not points[0].utc_us - BEYOND_US <= utc_us <= points[-1].utc_us + BEYOND_US:
        return None
    if utc_us <= points[0].utc_us:
        return points[0].box
    for before, after in pairwise(points):
        if before.utc_us <= utc_us < after.utc_us:
            share = (utc_us - before.utc_us) / (after.utc_us - before.utc_us)
            return Box(*(round(one + share * (two - one)) for one, two in zip(before.box, after.box, strict=True)))
    return points[-1].box
