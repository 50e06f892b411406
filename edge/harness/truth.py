"""A truth file: what simulated devices really said, in the order in which each said it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

ANY = "*"
"""Stands in a truth for a value that only the gateway knows, such as a sealed card."""


@dataclass(slots=True)
class Said:
    """One thing that a device said.

    `at`: UTC seconds. `sure`: it reached the gateway whole. `acknowledged`: and the gateway answered that it has it,
    so that nothing excuses its loss. `kept`: a broker has it, for a gateway that was there before or comes again.
    """

    device: str
    number: int
    at: float
    type: str
    data: dict[str, Any]
    sure: bool
    acknowledged: bool = False
    kept: bool = False


def read_truth(path: Path) -> dict[str, list[Said]]:
    """What each device said. Raises HarnessError for a file that is no truth, with the line; OSError."""
    said: dict[str, list[Said]] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                _take(json.loads(line), said)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise HarnessError(f"{path}, line {number}: is no line of a truth file ({error})") from error
    return said


def _take(row: dict[str, Any], said: dict[str, list[Said]]) -> None:
    rows = said.setdefault(row["device"], [])
    if "type" not in row:
        answered = rows[row["number"] - 1]
        answered.sure = True
        answered.kept, answered.acknowledged = row.get("kept", False), row.get("acknowledged", False)
        return
    if row["number"] != len(rows) + 1:
        raise ValueError(f"number {row['number']} of {row['device']} comes after {len(rows)}")
    rows.append(Said(row["device"], row["number"], row["at"], row["type"], row["data"], row["sure"]))
