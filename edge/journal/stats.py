"""Counts, bytes and ages of one journal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.journal.reader import JournalReader


def journal_stats(reader: JournalReader) -> dict[str, Any]:
    """What `journal stats --json` prints of a journal. Ages in s, sizes in bytes with the write-ahead log."""
    waiting, oldest_us = reader.waiting_summary()
    by_state = reader.counts("state")
    return {
        "journal": reader.id.hex(),
        "events": sum(by_state.values()),
        "by_state": by_state,
        "by_type": reader.counts("type"),
        "by_device": reader.counts("device"),
        "batches": sum(1 for _ in reader.batches()),
        "batches_waiting": waiting,
        "oldest_waiting_age_s": None if oldest_us is None else max(0, round(time.time() - oldest_us / 1e6)),
        "bytes": sum(one.stat().st_size for one in reader.path.parent.glob(f"{reader.path.name}*") if one.is_file()),
    }
