from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.journal.errors import JournalCorruptError
from edge.journal.reader import JournalReader
from edge.prove import NotProvableError, prove, prove_batch
from ledger_sync.proof.verify import verify
from tests.edge.journals import TRUST, alter, receipted_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three batches of five, one of them receipted; then one open event."""
    return receipted_journal(tmp_path, count=5, receipts=1)


@pytest.fixture
def reader(path: Path) -> Iterator[JournalReader]:
    with JournalReader(path) as reader:
        yield reader


def test_each_receipted_event_is_proven(reader: JournalReader) -> None:
    for sequence in range(1, 6):
        proven = verify(prove(reader, sequence), TRUST)
        assert (proven.sequence, proven.journal, proven.batch) == (sequence, reader.id, 1)


def test_a_batch_is_proven_as_its_events_are(reader: JournalReader) -> None:
    batch = reader.batch(1)
    assert batch is not None
    assert dict(prove_batch(reader, batch)) == {sequence: prove(reader, sequence) for sequence in range(1, 6)}


@pytest.mark.parametrize("sequence", [-1, 0, 17, 1 << 64])
def test_an_unknown_sequence_is_not_provable(reader: JournalReader, sequence: int) -> None:
    with pytest.raises(NotProvableError, match=f"has no event {sequence}; `wayside journal events` lists them"):
        prove(reader, sequence)


@pytest.mark.parametrize(("sequence", "state"), [(6, "refused"), (11, "sealed"), (16, "open")])
def test_without_a_receipt_nothing_is_provable_yet(
    path: Path, reader: JournalReader, sequence: int, state: str
) -> None:
    alter(path, "UPDATE batch SET refusal = x'00' WHERE number = 2")
    with pytest.raises(NotProvableError, match=rf"has no receipt yet \(its batch is {state}\)"):
        prove(reader, sequence)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET statement = (SELECT statement FROM event WHERE sequence = 1) WHERE sequence = 3",
        "DELETE FROM event WHERE sequence = 3",
        "UPDATE batch SET anchor = (SELECT anchor FROM batch WHERE number = 2) WHERE number = 1",
        "UPDATE batch SET anchor = x'd2' WHERE number = 1",
    ],
)
def test_what_was_altered_is_not_given_out_as_proof(path: Path, reader: JournalReader, change: str) -> None:
    alter(path, change)
    with pytest.raises(JournalCorruptError):
        prove(reader, 2)
