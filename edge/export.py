"""Handing over a journal's transparent statements as files, so that an interrupted export goes on where it was."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge.prove import prove_batch
from ledger_sync.proof.durable import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.journal.reader import JournalReader


def export_journal(reader: JournalReader, directory: Path, progress: Callable[[int], None]) -> tuple[int, int]:
    """Write `<directory>/<journal>/<batch>/<sequence>.cose` for each event of each receipted batch.

    A file that is there is whole, as it got its name only after its fsync; it is not written again. A batch whose
    folder is complete is not even read. Returns (written, there before). Raises JournalCorruptError, OSError.
    """
    written = kept = 0
    for batch in reader.batches():
        if batch.receipt is None:
            continue
        folder = directory / reader.id.hex() / str(batch.number)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = {f"{batch.first_sequence + index}.cose" for index in range(batch.count)}
        there = wanted & {file.name for file in folder.iterdir()}
        kept += len(there)
        if len(there) == batch.count:
            continue
        for sequence, statement in prove_batch(reader, batch):
            name = f"{sequence}.cose"
            if name not in there:
                _write(folder / name, statement)
                written += 1
            progress(sequence)
        sync_directory(folder)
    return written, kept


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
