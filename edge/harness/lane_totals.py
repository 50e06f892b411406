"""Counts of vehicles by lane, held against who passed: totals of the intervals that were told."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .gaps import Gap
    from .truth import Said
    from .verdict import Recorded

TOLERANCE_SHARE = 0.02
TOLERANCE_MIN = 1
"""Vehicles of a lane that may be missed or made up: 2 % of those that passed, and one at least."""
SETTLING_S = 15.0
"""After a gap a camera learns what its road looks like, and proves its stream's clock, which ends all tracks once more:
who passes meanwhile may be missed."""
EDGE_S = 1.5
"""How long before or after the end of an interval who passes may be counted in the other one."""


@dataclass(slots=True)
class LaneTotal:
    """One lane, both directions. `passed`: while it was watched; `untold`: while nothing says that it was not."""

    lane: str
    passed: int = 0
    counted: int = 0
    missed: int = 0
    made_up: int = 0
    in_gaps: int = 0
    untold: int = 0

    @property
    def tolerance(self) -> int:
        """Vehicles."""
        return max(TOLERANCE_MIN, int(TOLERANCE_SHARE * self.passed))

    @property
    def holds(self) -> bool:
        """Whether no more were missed and made up than the tolerance allows."""
        return self.missed + self.made_up <= self.tolerance

    def sentence(self) -> str:
        """All of it."""
        return (
            f"lane {self.lane}: {self.passed} passed while it was watched, {self.counted} were counted: "
            f"{self.missed} missed, {self.made_up} made up; "
            f"allowed are {self.tolerance} ({TOLERANCE_SHARE:.0%}, at least {TOLERANCE_MIN})"
        )


class _Span(NamedTuple):
    """What one event counts: `counted` vehicles from `begin` to `end`, UTC seconds.

    `is_whole`: it watched all of it, and had settled.
    """

    begin: float
    end: float
    is_whole: bool
    counted: int


def lane_totals(passages: Sequence[Said], counts: Sequence[Recorded], gaps: Sequence[Gap]) -> list[LaneTotal]:
    """A total for each lane where somebody passed or was counted."""
    found = [one.data for one in passages] + [one.data for one in counts]
    keys = sorted({(one["lane"], one["direction"]) for one in found})
    totals = {lane: LaneTotal(lane) for lane, _ in keys}
    for key in keys:
        times = [one.at for one in passages if (one.data["lane"], one.data["direction"]) == key]
        spans = _spans((one for one in counts if (one.data["lane"], one.data["direction"]) == key), gaps)
        _add(totals[key[0]], times, spans, gaps)
    return list(totals.values())


def _spans(events: Iterable[Recorded], gaps: Sequence[Gap]) -> list[_Span]:
    """An interval is told by the first picture after its end; one that was watched in part may be told much later."""
    spans: list[_Span] = []
    for event in events:
        interval_s = event.data["interval_s"]
        end = event.at // interval_s * interval_s
        begin = end - interval_s
        settles = any(gap_begin < end and begin < gap_end + SETTLING_S for gap_begin, gap_end in gaps)
        is_whole = event.data["observed_s"] >= interval_s - 1 and not settles
        if not is_whole and spans:
            begin = min(begin, spans[-1].end)
        spans.append(_Span(begin, end, is_whole, sum(one["count"] for one in event.data["counts"])))
    return spans


def _add(total: LaneTotal, times: Sequence[float], spans: Sequence[_Span], gaps: Sequence[Gap]) -> None:
    whole = [one for one in spans if one.is_whole]
    watched = _joined(whole)
    passed = sum(_is_in(at, watched) for at in times)
    surely = sum(_is_in(at, watched, -EDGE_S) for at in times)
    maybe = sum(_is_in(at, watched, EDGE_S) for at in times)
    counted = sum(one.counted for one in whole)
    ever = [(one.begin, one.end) for one in spans]
    maybe_ever = sum(_is_in(at, ever, EDGE_S) for at in times)
    counted_ever = sum(one.counted for one in spans)
    total.passed += passed
    total.counted += counted
    total.missed += max(0, surely - counted)
    total.made_up += max(0, counted - maybe, counted_ever - maybe_ever)
    for at in times:
        if not _is_in(at, ever):
            # What was counted in the interval that a loss broke off is lost with it.
            interval_s = max((one.end - one.begin for one in spans), default=0.0)
            is_excused = not spans or any(begin <= at + interval_s and at <= end for begin, end in gaps)
            total.in_gaps += is_excused
            total.untold += not is_excused


def _joined(spans: Sequence[_Span]) -> list[Gap]:
    """Where one ends as the next begins, they are one."""
    edges = {(one.end, other.begin) for one, other in pairwise(spans) if one.end == other.begin}
    inner = {end for end, _ in edges}
    begins = [one.begin for one in spans if one.begin not in inner]
    ends = [one.end for one in spans if one.end not in inner]
    return list(zip(begins, ends, strict=True))


def _is_in(at: float, spans: Iterable[Gap], wider_s: float = 0.0) -> bool:
    return any(begin - wider_s <= at < end + wider_s for begin, end in spans)
