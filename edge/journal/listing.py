"""An event as people and scripts read it (DESIGN 11, `wayside journal events --json`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.report import data_to_json, utc_us_text

from .errors import JournalCorruptError

if TYPE_CHECKING:
    from .reader import EventSummary, JournalReader


def event_row(reader: JournalReader, summary: EventSummary) -> dict[str, Any]:
    """One event of a journal. Raises JournalCorruptError."""
    try:
        event = parse_event(summary.statement)
    except ProofError as error:
        raise JournalCorruptError(reader.path, f"event {summary.sequence} {error}") from error
    return {
        "journal": reader.id.hex(),
        "sequence": summary.sequence,
        "device": event.device,
        "type": event.type,
        "time": utc_us_text(event.stamp.utc_us),
        "data": data_to_json(event.data),
        "batch": summary.batch,
        "state": summary.state,
    }
