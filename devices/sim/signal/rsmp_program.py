"""The signal groups of a made-up intersection under fixed-time control, as characters of RSMP's S0001."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = {
    "e": "starting",
    "f": "starting",
    "g": "red",
    "A": "red",
    "B": "red",
    "F": "red",
    "0": "red_yellow",
    "1": "green",
    "3": "green",
    "4": "green",
    "7": "green",
    "9": "green_flashing",
    "N": "yellow",
    "O": "yellow",
}
"""What the lamps show to each character that occurs here."""

_START_UP = "efg"
_VEHICLES = (("0", "1", "3", "4", "N"), ("0", "1", "4", "7", "O"))
_PEDESTRIANS = ("1", "4", "4", "9", "A")


class SignalProgram:
    """The same `seed`, the same program: 3 to 8 groups in two stages, one of them for pedestrians in each."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.groups = self._random.randint(3, 8)
        self._stage_of = [group % 2 for group in range(self.groups)]

    def steps(self) -> Iterator[str]:
        """One character a group, for ever; each step differs from the one before it."""
        for character in _START_UP:
            yield character * self.groups
        before = ""
        stage = 0
        while True:
            for step in range(len(_PEDESTRIANS)):
                waiting = self._random.choice("BF")
                now = "".join(self._character(group, stage, step, waiting) for group in range(self.groups))
                if now != before:
                    yield now
                before = now
            stage = 1 - stage

    def _character(self, group: int, stage: int, step: int, waiting: str) -> str:
        if self._stage_of[group] != stage:
            return waiting
        return _PEDESTRIANS[step] if group in (0, 1) else _VEHICLES[group % 2][step]
