"""What each device said last, and how it fares, as its journal has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.event_types import HEALTH, PASSPORT

from .errors import JournalCorruptError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger_sync.proof.event import Event

    from .load import EventRow
    from .reader import JournalReader


PAGE_ROWS = 20_000
"""Of each look: what is not loaded, but grouped by SQLite."""


@dataclass(slots=True)
class Newest:
    """The newest `device.health` of a device, and the newest event that is its own; None where there is none."""

    health: Event | None = None
    reading: Event | None = None


def newest_events(reader: JournalReader, devices: Iterable[str]) -> dict[str, Newest]:
    """Of each of these devices. Looks from the newest event on until all are found: at all of them, if one is not.

    A million events take about a second then. Raises JournalCorruptError for an event that cannot be read.
    """
    found = {device: Newest() for device in devices}
    wanted = {(device, is_health) for device in found for is_health in (True, False)}
    end = reader.last_sequence()
    while wanted and end > 0:
        first = max(1, end - PAGE_ROWS + 1)
        places: dict[tuple[str, bool], int] = {}
        for device, kind, sequence in reader.newest_between(first, end):
            place = (device, kind == HEALTH)
            if place in wanted and kind != PASSPORT:
                places[place] = max(sequence, places.get(place, 0))
        for (device, is_health), sequence in places.items():
            (row,) = reader.rows(sequence, 1)
            if is_health:
                found[device].health = _event(reader, row)
            else:
                found[device].reading = _event(reader, row)
        wanted -= places.keys()
        end = first - 1
    return found


def newest_event(reader: JournalReader, device: str, event_type: str) -> Event | None:
    """The newest event of a device and type. Raises JournalCorruptError."""
    row = reader.newest_of(device, event_type)
    return None if row is None else _event(reader, row)


def _event(reader: JournalReader, row: EventRow) -> Event:
    try:
        return parse_event(row.statement)
    except ProofError as error:
        raise JournalCorruptError(reader.path, f"event {row.sequence} {error}") from error
