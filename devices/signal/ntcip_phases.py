"""NTCIP 1202 phase status groups: what an answer's numbers say of each phase, and what changed since the last.

phaseStatusGroupEntry (NTCIP 1202 v2 and v3, clause 5.2.4) has a row for each eight phases: bit 0 of row G is phase
8 G - 7. The numbers of its columns are those of the MIB tree as MnDOT's IRIS, MMITSS and USDOT's V2I Hub read it
(the MIB's own text is not free); there are public programs with other, wrong ones.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
"""Hundredths of a second since the agent started (RFC 1213); begins anew after 497 days."""

PHASES_IN_GROUP = 8
STATUS_MAX = 0xFF


class StatusColumn(enum.StrEnum):
    """The columns by which a phase's heads are told, with their OIDs; `.G` for group G follows."""

    REDS = "1.3.6.1.4.1.1206.4.2.1.1.4.1.2"
    YELLOWS = "1.3.6.1.4.1.1206.4.2.1.1.4.1.3"
    GREENS = "1.3.6.1.4.1.1206.4.2.1.1.4.1.4"
    DONT_WALKS = "1.3.6.1.4.1.1206.4.2.1.1.4.1.5"
    PED_CLEARS = "1.3.6.1.4.1.1206.4.2.1.1.4.1.6"
    WALKS = "1.3.6.1.4.1.1206.4.2.1.1.4.1.7"


_HEADS = (
    (
        "vehicle",
        ((StatusColumn.REDS, "red"), (StatusColumn.YELLOWS, "yellow"), (StatusColumn.GREENS, "green")),
    ),
    (
        "pedestrian",
        (
            (StatusColumn.DONT_WALKS, "dont_walk"),
            (StatusColumn.PED_CLEARS, "pedestrian_clearance"),
            (StatusColumn.WALKS, "walk"),
        ),
    ),
)

Statuses = dict[tuple[int, StatusColumn], int]
"""What one answer says: the bits of each group's columns; one that the controller has not got is left out."""


@dataclass(frozen=True, slots=True)
class PhaseState:
    """What a phase shows. `contradiction` names the columns that claim it at once, where more than one does."""

    phase: int
    kind: str
    state: str
    contradiction: str | None = None


class PhaseWatch:
    """Compares one answer with the next.

    A head (the vehicle or pedestrian signals of a phase) of which no lamp was ever lit is taken as not there, and
    not told. One that was lit and now is not is "dark"; or "unknown", if a column that could say otherwise is missing.
    """

    def __init__(self) -> None:
        self._statuses: Statuses = {}
        self._states: dict[tuple[int, str], PhaseState] = {}

    def changes(self, statuses: Statuses) -> Iterator[PhaseState]:
        """What differs from the answer before, by phase; of the first answer, everything that is lit."""
        if statuses == self._statuses:
            return
        self._statuses = statuses
        for group in sorted({group for group, _ in statuses}):
            of_group = {column: bits for (one, column), bits in statuses.items() if one == group}
            for bit in range(PHASES_IN_GROUP):
                phase = PHASES_IN_GROUP * (group - 1) + bit + 1
                yield from self._changes_of_phase(phase, of_group, 1 << bit)

    def _changes_of_phase(self, phase: int, of_group: Mapping[StatusColumn, int], mask: int) -> Iterator[PhaseState]:
        for kind, columns in _HEADS:
            lit = [(column, state) for column, state in columns if of_group.get(column, 0) & mask]
            before = self._states.get((phase, kind))
            if not lit and before is None:
                continue
            if len(lit) == 1:
                now = PhaseState(phase, kind, lit[0][1])
            elif lit:
                now = PhaseState(phase, kind, "unknown", "+".join(column.name.lower() for column, _ in lit))
            else:
                complete = all(column in of_group for column, _ in columns)
                now = PhaseState(phase, kind, "dark" if complete else "unknown")
            if now != before:
                self._states[phase, kind] = now
                yield now
