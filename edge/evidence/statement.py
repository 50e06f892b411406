"""Which event a piece of evidence belongs to: the statement in a journal that signs its manifest.

It is put into the evidence's folder once it is found, so that it is looked for once, and outlives the journal's rows.
"""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import TYPE_CHECKING

from devices.camera.evidence.folder import MANIFEST, STATEMENT, add_durably, read_bounded
from devices.camera.evidence.manifest import MANIFEST_BYTES_MAX
from edge.journal.errors import JournalError
from edge.journal.files import journals_set_aside
from edge.journal.reader import JournalReader
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.event_types import STATEMENT_BYTES_MAX

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("wayside.evidence")

PAGE_ROWS = 5000


class StatementSearch:
    """Finds statements in the current journal (`reader`, of its own), then in those that were set aside. Blocking."""

    def __init__(self, reader: JournalReader, data_dir: Path) -> None:
        self._reader, self._data_dir = reader, data_dir
        self._is_stopped = False

    def stop(self) -> None:
        """End a search in another thread soon: it finds nothing, or raises JournalError."""
        self._is_stopped = True
        self._reader.interrupt()

    def statement_of(self, folder: Path) -> bytes | None:
        """The statement of the evidence in a folder; None where no journal has it.

        Its reading is recorded, so one look is enough: if it is not there now, it will never be. A million events take
        some seconds. Raises EvidenceFormatError, OSError, and JournalError for the current journal.
        """
        if (folder / STATEMENT).exists():
            return read_bounded(folder / STATEMENT, STATEMENT_BYTES_MAX)
        digest = sha256(read_bounded(folder / MANIFEST, MANIFEST_BYTES_MAX)).digest()
        device = folder.parent.name
        statement = self._find(self._reader, device, digest) or self._find_set_aside(device, digest)
        if statement is not None:
            add_durably(folder, STATEMENT, statement)
        return statement

    def _find_set_aside(self, device: str, digest: bytes) -> bytes | None:
        for path in reversed(journals_set_aside(self._data_dir)):
            try:
                with JournalReader(path) as reader:
                    statement = self._find(reader, device, digest)
            except JournalError as error:
                log.warning("a journal that was set aside cannot be searched", extra={"why": str(error)})
                continue
            if statement is not None:
                return statement
        return None

    def _find(self, reader: JournalReader, device: str, digest: bytes) -> bytes | None:
        """From the newest event on back, as it is mostly one of the last."""
        end = reader.last_sequence() + 1
        while end > 1 and not self._is_stopped:
            first = max(1, end - PAGE_ROWS)
            for row in reader.rows(first, end - first):
                if row.device == device and digest in row.statement and _signs(row.statement, digest):
                    return row.statement
            end = first
        return None


def _signs(statement: bytes, digest: bytes) -> bool:
    try:
        return digest in parse_event(statement).evidence
    except ProofError:
        return False
