from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from edge.journal.reader import JournalReader
from edge.journal.stats import age_s, journal_stats
from tests.edge.journals import alter, receipted_journal

if TYPE_CHECKING:
    from pathlib import Path


def test_stats_count_by_state_type_and_device(tmp_path: Path) -> None:
    path = receipted_journal(tmp_path, batches=3, count=4, receipts=1)
    alter(path, "UPDATE batch SET sealed_us = ?", (time.time_ns() - 90_000_000_000) // 1000)
    with JournalReader(path) as reader:
        stats = journal_stats(reader)
        name = reader.id.hex()
        on_disk = sum(one.stat().st_size for one in path.parent.iterdir())
    age = stats.pop("oldest_waiting_age_s")
    assert 90 <= age <= 120
    assert json.loads(json.dumps(stats)) == {
        "journal": name,
        "events": 13,
        "by_state": {"open": 1, "receipted": 4, "sealed": 8},
        "by_type": {"fare.tap": 13},
        "by_device": {"gate-1": 13},
        "batches": 3,
        "batches_waiting": 2,
        "bytes": on_disk,
    }


def test_an_age_is_never_negative_though_utc_was_set_back() -> None:
    assert age_s(None) is None
    assert age_s(time.time_ns() // 1000 + 3_600_000_000) == 0
