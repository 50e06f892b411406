"""A rectangle of the small image in which vehicles are looked for."""

from __future__ import annotations

from typing import NamedTuple


class Extent(NamedTuple):
    """Pixels; right and bottom are not inside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels."""
        return self.bottom - self.top

    def moved(self, right: float, down: float) -> Extent:
        """The same, so many pixels farther."""
        return Extent(self.left + right, self.top + down, self.right + right, self.bottom + down)

    def joined(self, other: Extent) -> Extent:
        """The smallest that holds both."""
        return Extent(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def overlap(self, other: Extent) -> float:
        """The share of the smaller of both that lies in the other."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        smaller = min(self.width * self.height, other.width * other.height)
        return width * height / smaller if width > 0 and height > 0 and smaller > 0 else 0.0

    def window(self, height: int, width: int) -> tuple[slice, slice]:
        """Its rows and columns, as far as they are in an image of that size."""
        rows = slice(min(max(round(self.top), 0), height), min(max(round(self.bottom), 0), height))
        return rows, slice(min(max(round(self.left), 0), width), min(max(round(self.right), 0), width))
