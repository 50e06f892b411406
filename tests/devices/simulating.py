"""Running a simulated device beside a driver, and comparing what was read with what it really said."""

from __future__ import annotations

import contextlib
import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from devices.sim.device import Truth

if TYPE_CHECKING:
    from devices.driver import Reading


class Said:
    """A truth that is kept in memory: `truth` to give to a device, and its rows by number."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.truth = Truth(self._file)

    def rows(self) -> dict[int, dict[str, Any]]:
        """Each thing said: its type, data, and whether it is sure by now."""
        rows: dict[int, dict[str, Any]] = {}
        for line in self._file.getvalue().splitlines():
            row = json.loads(line)
            rows.setdefault(row["number"], {}).update(row)
        return rows

    def sure(self) -> int:
        """How many are sure."""
        return sum(row["sure"] for row in self.rows().values())


def as_told(reading: Reading) -> dict[str, Any]:
    """A reading's data as a truth writes it: decimals as strings."""
    told: dict[str, Any] = json.loads(json.dumps(reading.data, default=_decimal))
    return told


def _decimal(value: object) -> str:
    assert isinstance(value, Decimal)
    return str(value)


def once(readings: list[Reading]) -> list[Reading]:
    """Without those that came again under an id that was read before, as the recorder keeps them."""
    seen: dict[Any, Reading] = {}
    for number, reading in enumerate(readings):
        seen.setdefault(number if reading.id is None else reading.id, reading)
    return list(seen.values())


def assert_true(readings: list[Reading], said: Said) -> None:
    """Every sure row was read, each with its values, in order, and nothing else."""
    rows = iter(said.rows().values())
    for reading in once(readings):
        for row in rows:
            if (row["type"], row["data"]) == (reading.type, as_told(reading)):
                break
            assert not row["sure"], f"missing: {row}"
        else:
            raise AssertionError(f"nobody said {reading}, or not after what was read before")
    with contextlib.suppress(StopIteration):
        while True:
            row = next(rows)
            assert not row["sure"], f"missing at the end: {row}"
