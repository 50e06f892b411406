"""Lanes in the picture: their lines and zones, in pixels.

Pixels count from the frame's top left corner: the first pixel's edges are at 0 and 1, its centre is at 0.5. So a
frame of another size, of the same view, takes the same places by multiplication alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Point = tuple[float, float]
"""x to the right and y down, pixels."""


class Line(NamedTuple):
    """A straight line over the road, from its start to its end."""

    start: Point
    end: Point


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane (or several that are counted as one).

    `count_line` counts; in `speed_zone` (a simple polygon; empty without one) speed is measured; who passes
    `stop_line` and then `second_line` on red has run it; `lamp` is the outline of the signal's head in the picture.
    """

    id: str
    count_line: Line | None = None
    speed_zone: tuple[Point, ...] = ()
    stop_line: Line | None = None
    second_line: Line | None = None
    lamp: tuple[Point, ...] = ()

    @property
    def lines(self) -> dict[str, Line]:
        """The lines it has, by their names."""
        named = {"count_line": self.count_line, "stop_line": self.stop_line, "second_line": self.second_line}
        return {name: line for name, line in named.items() if line is not None}

    def scaled(self, x_scale: float, y_scale: float) -> Lane:
        """The same in a frame whose sides are so many times as long."""

        def point(at: Point) -> Point:
            return at[0] * x_scale, at[1] * y_scale

        def line(of: Line | None) -> Line | None:
            return Line(point(of.start), point(of.end)) if of else None

        return Lane(
            self.id,
            line(self.count_line),
            tuple(point(at) for at in self.speed_zone),
            line(self.stop_line),
            line(self.second_line),
            tuple(point(at) for at in self.lamp),
        )
