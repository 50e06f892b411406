"""What became of those who passed the speed zones and the stop lines: why somebody, or nobody, was measured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devices.camera.red_light.doubts import Doubt

UNMEASURED_MAX = 20
_REASONS_TOLD = 3


@dataclass(slots=True)
class PassageCounters:
    """Since the camera began.

    `measured` and `refused` (by `Reason`) are tracks that left a speed zone: those of walkers, and of parts of
    vehicles, are refused, too. `let_go`, by what and why: who was not measured, or not told, as the stream broke or the
    view was in doubt. `undecided` are passages at the signal that nobody is accused of, as RED_LIGHT.md tells.
    """

    measured: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    let_go: Counter[str] = field(default_factory=Counter)
    undecided: Counter[Doubt] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The same, most frequent reasons first."""
        return {
            "measured": self.measured,
            "refused": dict(self.refused.most_common()),
            "let_go": dict(self.let_go.most_common()),
            "undecided": dict(self.undecided.most_common()),
        }

    def __str__(self) -> str:
        """In a line, such as `measured 4, refused 2 (cut 1, gap 1), let go 0, undecided 0`."""
        counted = f"measured {self.measured}, refused {_told(self.refused)}, let go {_told(self.let_go)}"
        return f"{counted}, undecided {_told(self.undecided)}"


def _told(counted: Counter[Any]) -> str:
    why = ", ".join(f"{reason} {count}" for reason, count in counted.most_common())
    return f"{counted.total()} ({why})" if why else "0"


class UnmeasuredWatch:
    """Finds a camera that measures nobody any more, though it would."""

    def __init__(self) -> None:
        self.doubt = ""
        """That nobody is measured, and why, in a sentence; empty while somebody is."""
        self._measured = 0
        self._before: Counter[str] = Counter()

    def take(self, counters: PassageCounters) -> None:
        """How it stands now."""
        if counters.measured != self._measured:
            self._measured, self._before, self.doubt = counters.measured, counters.refused.copy(), ""
        lately = counters.refused - self._before
        # Said once, as it was then: each other sentence would be an event.
        if not self.doubt and lately.total() >= UNMEASURED_MAX:
            reasons = ", ".join(f"{reason} {count}" for reason, count in lately.most_common(_REASONS_TOLD))
            self.doubt = (
                f"none of the last {lately.total()} in the speed zones was measured, mostly for: {reasons}; "
                "look with `wayside camera view`, and in SPEED.md for what each means"
            )
