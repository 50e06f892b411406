"""What a check takes from a journal, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event of a journal. `at`: UTC seconds."""

    device: str
    type: str
    at: float
    data: Mapping[str, Any]
    sequence: int


@dataclass(slots=True)
class DeviceVerdict:
    """What became of one device's truth; `problems` are sentences, empty if all is well, `notes` are no problem."""

    device: str
    said: int = 0
    recorded: int = 0
    thinned: int = 0
    in_gaps: int = 0
    unsure: int = 0
    gap_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
