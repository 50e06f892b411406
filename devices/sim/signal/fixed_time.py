"""The signal program of one phase whose times never change."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from .cycle import Step

if TYPE_CHECKING:
    from collections.abc import Iterator


def fixed_time(phase: int, green_s: float, yellow_s: float, red_s: float) -> Iterator[Step]:
    """Every change for ever, in order of time; it turns green at the beginning."""
    green, yellow = round(green_s * 10), round(yellow_s * 10)
    for start in count(0, green + yellow + round(red_s * 10)):
        yield Step(start, phase, "vehicle", "green")
        yield Step(start + green, phase, "vehicle", "yellow")
        yield Step(start + green + yellow, phase, "vehicle", "red")
