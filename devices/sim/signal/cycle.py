"""The signal program of a made-up intersection: two rings, two barriers, eight phases, four crossings.

Rings and barriers as NEMA TS 2 numbers them: 1 2 | 3 4 over 5 6 | 7 8; what stands above and below each other on one
side of the barrier may be green together. Times are tenths of a second, as controllers count.
"""

from __future__ import annotations

import heapq
import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PHASES = range(1, 9)
CROSSINGS = (2, 4, 6, 8)
_SIDES = (((1, 2), (5, 6)), ((3, 4), (7, 8)))
_CHANGES_IN_SIDE = 4 * 4 + 2 * 3


class Step(NamedTuple):
    """A signal changes: at which tenth of a second since the program began, and to what."""

    at: int
    phase: int
    kind: str
    state: str


class SignalCycle:
    """The same `seed`, the same program. `mean_s`: seconds between two changes on average, at least 0.1."""

    def __init__(self, seed: int, mean_s: float) -> None:
        self._random = random.Random(seed)
        self._side_tenths = max(_CHANGES_IN_SIDE, round(_CHANGES_IN_SIDE * mean_s * 10))

    def steps(self) -> Iterator[Step]:
        """Every change for ever, in order of time; at the beginning all is red and nobody walks."""
        start = 1
        while True:
            for side in _SIDES:
                yield from heapq.merge(*(sorted(self._ring(pair, start)) for pair in side))
                start += self._side_tenths

    def _ring(self, pair: tuple[int, int], start: int) -> Iterator[Step]:
        first_tenths = round(self._side_tenths * self._random.uniform(0.4, 0.6))
        yield from self._phase(pair[0], start, first_tenths)
        yield from self._phase(pair[1], start + first_tenths, self._side_tenths - first_tenths)

    def _phase(self, phase: int, start: int, tenths: int) -> Iterator[Step]:
        yellow, clearance = max(1, tenths * 15 // 100), max(1, tenths * 7 // 100)
        green = tenths - yellow - clearance
        yield Step(start, phase, "vehicle", "green")
        yield Step(start + green, phase, "vehicle", "yellow")
        yield Step(start + green + yellow, phase, "vehicle", "red_clearance")
        yield Step(start + tenths, phase, "vehicle", "red")
        if phase in CROSSINGS:
            yield Step(start, phase, "pedestrian", "walk")
            yield Step(start + green // 3, phase, "pedestrian", "pedestrian_clearance")
            yield Step(start + green - 1, phase, "pedestrian", "dont_walk")
