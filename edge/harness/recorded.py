"""What a gateway's journals hold, as the check takes it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from edge.journal.files import journals
from edge.journal.listing import event_row
from edge.journal.reader import JournalReader

from .errors import HarnessError
from .verdict import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def recorded_in(data_dir: Path) -> Iterator[Recorded]:
    """All events in the journals there, oldest first. Raises HarnessError where there is none, JournalCorruptError."""
    paths = journals(data_dir)
    if not paths:
        raise HarnessError(f"{data_dir}: has no journal yet; `wayside run` makes it")
    for path in paths:
        with JournalReader(path) as reader:
            for summary in reader.events():
                row = event_row(reader, summary)
                at = datetime.fromisoformat(row["time"]).timestamp()
                yield Recorded(row["device"], row["type"], at, row["data"], row["sequence"])
