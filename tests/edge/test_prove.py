from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.journal.errors import JournalCorruptError
from edge.journal.reader import JournalReader
from edge.journal.writer import KeepAnswer
from edge.prove import NotProvableError, prove, prove_batch, prove_passport
from ledger_sync.proof.verify import check_passport, verify
from tests.edge.journals import (
    SEAL,
    TRUST,
    Ledger,
    alter,
    anchors,
    new_event,
    open_journal,
    passport,
    receipted_journal,
)

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


def test_an_event_is_proven_with_the_passport_that_it_names(tmp_path: Path) -> None:
    ledger = Ledger()
    with open_journal(tmp_path, count_max=2) as journal:
        journal.commit([new_event(), passport("gate-1", {"place": "Harbour Road 12"}), new_event(), SEAL])
        journal.commit([KeepAnswer(2, *ledger.register(anchors(journal.path)[2]))])
    with JournalReader(journal.path) as reader:
        statement = prove(reader, 3)
        with pytest.raises(NotProvableError, match="event 3 names its device's passport, but event 2 has no receipt"):
            prove_passport(reader, statement)
        with open_journal(tmp_path) as journal:
            journal.commit([KeepAnswer(1, *ledger.register(anchors(journal.path)[1]))])
        proven_passport = prove_passport(reader, statement)
        assert proven_passport is not None
        assert proven_passport == (2, prove(reader, 2))
        check_passport(verify(statement, TRUST), verify(proven_passport.statement, TRUST))
        assert prove_passport(reader, prove(reader, 1)) is None


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
