"""The signal's lamps over time."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from itertools import pairwise


class LampState(enum.StrEnum):
    """Which lamps of a signal head are lit."""

    RED = "red"
    RED_YELLOW = "red_yellow"
    GREEN = "green"
    YELLOW = "yellow"

    @property
    def lit(self) -> tuple[bool, bool, bool]:
        """Whether red, yellow, green, from the top, are lit."""
        return self in (LampState.RED, LampState.RED_YELLOW), "yellow" in self, self is LampState.GREEN


@dataclass(frozen=True)
class SignalPlan:
    """Changes of one signal group in order of time: (seconds, state); the first state also holds before it."""

    changes: tuple[tuple[float, LampState], ...]

    def at(self, t_s: float) -> LampState:
        """The state at a time."""
        state = self.changes[0][1]
        for since_s, new in self.changes:
            if since_s > t_s:
                break
            state = new
        return state

    def spans(self, state: LampState, until_s: float) -> list[tuple[float, float]]:
        """From when to when (seconds) it shows `state`, up to a time."""
        ends = (*self.changes, (until_s, state))
        return [(since, min(end, until_s)) for (since, shown), (end, _) in pairwise(ends) if shown is state]


def cycles(
    count: int, green_s: float = 12.0, yellow_s: float = 3.0, red_s: float = 15.0, start_s: float = 0.0
) -> SignalPlan:
    """`count` cycles of green, yellow, red with a second of red and yellow at its end; red before `start_s`."""
    changes = [(start_s - 1.0, LampState.RED)]
    for cycle in range(count):
        begin = start_s + cycle * (green_s + yellow_s + red_s)
        changes += [
            (begin, LampState.GREEN),
            (begin + green_s, LampState.YELLOW),
            (begin + green_s + yellow_s, LampState.RED),
            (begin + green_s + yellow_s + red_s - 1.0, LampState.RED_YELLOW),
        ]
    return SignalPlan(tuple(changes))
