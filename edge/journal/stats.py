"""Counts, bytes and ages of one journal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.journal.reader import JournalReader


def journal_stats(reader: JournalReader) -> dict[str, Any]:
    """What `journal stats --json` prints of a journal. Ages in s, sizes in bytes with the write-ahead log."""
    by_state, backlog = reader.counts("state"), reader.backlog()
    return {
        "journal": reader.id.hex(),
        "events": sum(by_state.values()),
        "by_state": by_state,
        "by_type": reader.counts("type"),
        "by_device": reader.counts("device"),
        "batches": reader.batch_count(),
        "batches_waiting": backlog.batches,
        "oldest_waiting_age_s": age_s(backlog.oldest_us),
        "bytes": sum(one.stat().st_size for one in reader.path.parent.glob(f"{reader.path.name}*") if one.is_file()),
    }


def age_s(since_us: int | None) -> int | None:
    """Whole seconds since a time in UTC µs; never negative, as UTC may have been set back."""
    return None if since_us is None else max(0, round(time.time() - since_us / 1e6))
