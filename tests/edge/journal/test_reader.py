from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge.journal import reader as reader_module
from edge.journal.errors import JournalCorruptError, JournalError
from edge.journal.files import ensure_born
from edge.journal.reader import Backlog, JournalReader
from edge.journal.writer import KeepAnswer
from ledger_sync.proof.event import parse_event
from tests.edge.journals import (
    CITY,
    GATEWAY,
    SEAL,
    Ledger,
    alter,
    anchors,
    flipped,
    new_event,
    open_journal,
    receipted_journal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=[1000, 3], ids=["one page", "many pages"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three batches of four, the first of them receipted; then one open event."""
    monkeypatch.setattr(reader_module, "PAGE_ROWS", request.param)
    return receipted_journal(tmp_path, receipts=1)


@pytest.fixture
def reader(path: Path) -> Iterator[JournalReader]:
    with JournalReader(path) as reader:
        yield reader


def test_events_come_in_order_with_batch_and_state(reader: JournalReader) -> None:
    found = [(one.sequence, one.batch, one.state) for one in reader.events()]
    states = {1: "receipted", 2: "sealed", 3: "sealed", None: "open"}
    batches = [1] * 4 + [2] * 4 + [3] * 4 + [None]
    assert found == [(sequence, batch, states[batch]) for sequence, batch in enumerate(batches, 1)]
    assert all(parse_event(one.statement).sequence == one.sequence for one in reader.events())


def test_batches_come_in_order(reader: JournalReader) -> None:
    assert [(one.number, one.first_sequence, one.count) for one in reader.batches()] == [
        (1, 1, 4),
        (2, 5, 4),
        (3, 9, 4),
    ]
    assert reader.batch_count() == 3
    assert reader.batch(2) == list(reader.batches())[1]
    assert reader.batch(4) is None


@pytest.mark.parametrize(("sequence", "number"), [(1, 1), (4, 1), (5, 2), (12, 3), (13, None), (14, None), (0, None)])
def test_the_batch_of_an_event_is_found(reader: JournalReader, sequence: int, number: int | None) -> None:
    batch = reader.batch_of(sequence)
    assert (batch.number if batch else None) == number


def test_statements_come_from_a_sequence_on(reader: JournalReader) -> None:
    assert [sequence for sequence, _ in reader.statements(4, 6)] == [4, 5, 6, 7, 8, 9]
    assert [sequence for sequence, _ in reader.statements(12, 100)] == [12, 13]
    assert dict(reader.statements(7, 1))[7] == reader.statement(7)


@pytest.mark.parametrize("sequence", [-1, 0, 14, 1 << 62, 1 << 63, 10**30])
def test_a_sequence_that_there_is_not_has_no_statement(reader: JournalReader, sequence: int) -> None:
    assert reader.statement(sequence) is None


def test_what_waits_is_the_oldest_first_and_the_refused_last(path: Path, reader: JournalReader) -> None:
    assert [one.number for one in reader.waiting(10)] == [2, 3]
    assert [one.number for one in reader.waiting(1)] == [2]
    alter(path, "UPDATE batch SET refusal = x'00' WHERE number = 2")
    assert [(one.number, one.state) for one in reader.waiting(10)] == [(3, "sealed"), (2, "refused")]


def test_counts_are_of_events(reader: JournalReader) -> None:
    assert reader.counts("state") == {"open": 1, "receipted": 4, "sealed": 8}
    assert reader.counts("type") == {"fare.tap": 13}
    assert reader.counts("device") == {"gate-1": 13}
    assert reader.last_sequence() == 13


def test_the_backlog_is_what_has_no_receipt(path: Path, reader: JournalReader) -> None:
    oldest = reader.batch(2)
    assert oldest is not None
    assert reader.backlog() == Backlog(batches=2, events=9, oldest_us=oldest.sealed_us)
    alter(path, "UPDATE batch SET receipt = x'00'")
    assert reader.backlog() == Backlog(batches=0, events=1, oldest_us=None)


def test_an_empty_journal_reads_as_empty(tmp_path: Path) -> None:
    with JournalReader(ensure_born(tmp_path, CITY, GATEWAY)) as reader:
        assert len(reader.id) == 16
        assert (list(reader.events()), list(reader.batches()), reader.counts("state")) == ([], [], {})
        assert (reader.last_sequence(), reader.backlog()) == (0, Backlog(0, 0, None))


def test_a_slow_reader_sees_each_event_once_and_lets_the_writer_reuse_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "PAGE_ROWS", 2)
    with open_journal(tmp_path, 3) as journal, JournalReader(journal.path) as reader:
        journal.commit([new_event(number=number) for number in range(5)])
        listing = reader.events()
        first = next(listing)
        journal.commit([new_event(number=number) for number in range(5, 10)])
        with closing(sqlite3.connect(journal.path)) as other:
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, "the log is held"
        assert [first.sequence, *(one.sequence for one in listing)] == list(range(1, 11))


def test_a_batch_is_checked_against_its_anchor(path: Path, reader: JournalReader) -> None:
    for batch in reader.batches():
        reader.check_batch(batch)
    statement = reader.statement(6)
    assert statement is not None
    alter(path, "UPDATE event SET statement = ? WHERE sequence = 6", flipped(statement, 100))
    batches = list(reader.batches())
    reader.check_batch(batches[0])
    with pytest.raises(JournalCorruptError, match="batch 2: its events are not those that were anchored"):
        reader.check_batch(batches[1])
    alter(path, "DELETE FROM event WHERE sequence = 12")
    with pytest.raises(JournalCorruptError, match="batch 3: its events are not those"):
        reader.check_batch(batches[2])


def test_a_journal_that_is_not_there_is_told_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal yet; `wayside run` makes it"):
        JournalReader(tmp_path / "journal.sqlite")


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE journal",
        "DELETE FROM journal",
        "UPDATE journal SET id = 'sixteen letters!'",
        "INSERT INTO journal VALUES (randomblob(16), 'demo', 'gw-1', 0)",
    ],
)
def test_a_journal_without_its_one_id_is_corrupt(path: Path, change: str) -> None:
    alter(path, change)
    with pytest.raises(JournalCorruptError):
        JournalReader(path)


@pytest.mark.parametrize("content", [b"", b"x" * 5000])
def test_a_file_that_is_no_journal_is_corrupt(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    with pytest.raises(JournalCorruptError):
        JournalReader(path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET statement = 'text' WHERE sequence = 2",
        "UPDATE event SET device = x'00' WHERE sequence = 2",
        "UPDATE batch SET count = 'many' WHERE number = 1",
        "UPDATE batch SET anchor = 7 WHERE number = 1",
        "DROP TABLE event",
    ],
)
def test_a_damaged_row_is_corrupt_and_no_surprise(path: Path, reader: JournalReader, change: str) -> None:
    alter(path, change)
    with pytest.raises(JournalCorruptError):
        list(reader.events())


def test_a_damaged_page_is_found_by_the_quick_check(path: Path) -> None:
    with JournalReader(path) as reader:
        reader.quick_check()
    content = bytearray(path.read_bytes())
    content[4096 : 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(JournalCorruptError), JournalReader(path) as reader:
        reader.quick_check()


def test_what_another_thread_reads_can_be_interrupted(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([new_event(number=number) for number in range(10_000)])
    ended: list[JournalError] = []

    def check(reader: JournalReader) -> None:
        try:
            while True:
                reader.quick_check()
        except JournalError as error:
            ended.append(error)

    with JournalReader(journal.path) as reader:
        thread = threading.Thread(target=check, args=(reader,))
        thread.start()
        while thread.is_alive():
            reader.interrupt()
            thread.join(0.001)
    assert "interrupted" in str(ended[0])
    assert not isinstance(ended[0], JournalCorruptError)


def test_an_answer_shows_at_once(path: Path, reader: JournalReader) -> None:
    receipt, head = Ledger().register(anchors(path)[2])
    with open_journal(path.parent.parent) as journal:
        journal.commit([KeepAnswer(2, receipt, head), SEAL])
    assert [one.number for one in reader.waiting(10)] == [3, 4]
    assert reader.counts("state") == {"receipted": 8, "sealed": 5}
