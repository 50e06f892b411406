from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge.journal.errors import JournalCorruptError, JournalForeignError
from edge.journal.load import load
from edge.journal.schema import open_to_write
from edge.journal.writer import JournalWriter, KeepAnswer
from edge.signer import FileSigner
from ledger_sync.proof.anchor import anchor_hash
from tests.edge.journals import (
    GATEWAY_KEY,
    OTHER_KEY,
    SEAL,
    SIGNER,
    Ledger,
    alter,
    anchors,
    flipped,
    new_event,
    open_journal,
    receipted_journal,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three batches of four, all receipted; then one open event."""
    return receipted_journal(tmp_path)


def test_a_journal_is_loaded_as_it_was_left(path: Path) -> None:
    with closing(open_to_write(path)) as connection:
        loaded = load(connection, path, SIGNER)
    stored = anchors(path)
    assert (loaded.first_open, loaded.next_batch) == (13, 4)
    assert loaded.last_anchor_hash == anchor_hash(stored[3])
    assert [(row.sequence, row.device) for row in loaded.open_events] == [(13, "gate-1")]
    assert loaded.counters == {"gate-1": 12}
    assert loaded.recalls.keys() == {"gate-1"}
    ledger = Ledger()
    heads = [ledger.register(anchor)[1] for _, anchor in sorted(stored.items())]
    assert loaded.ledger_seen == heads[-1]


def test_an_empty_journal_begins_at_one(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        assert journal.position == (1, 1)
        assert journal.open_count == 0


TAMPERINGS = [
    ("DELETE FROM journal", "0 births instead of one"),
    ("INSERT INTO journal VALUES (randomblob(16), 'demo', 'gw-1', 0)", "2 births instead of one"),
    ("UPDATE journal SET id = 'sixteen letters!'", "its id is not 16 bytes"),
    ("UPDATE journal SET id = randomblob(16)", "batch 3 contradicts its anchor"),
    ("UPDATE batch SET count = 3 WHERE number = 3", "batch 3 contradicts its anchor"),
    ("UPDATE batch SET first_sequence = 'x' WHERE number = 3", "batch 3 contradicts its anchor"),
    ("UPDATE batch SET number = 4 WHERE number = 3", "batch 4 contradicts its anchor"),
    ("UPDATE batch SET anchor = x'd2' WHERE number = 3", "byte"),
    ("UPDATE batch SET anchor = 'text' WHERE number = 3", "is not a tagged COSE_Sign1"),
    ("UPDATE batch SET receipt = x'd2' WHERE number = 3", "byte"),
    ("UPDATE event SET sequence = 14 WHERE sequence = 13", "event 13 is missing"),
    ("UPDATE event SET device = 'gate-2' WHERE sequence = 13", "event 13 is altered"),
    ("UPDATE event SET type = 'meter.reading' WHERE sequence = 13", "event 13 is altered"),
    ("UPDATE event SET statement = x'' WHERE sequence = 13", "is not a tagged COSE_Sign1"),
    ("UPDATE event SET statement = 7 WHERE sequence = 13", "not subscriptable"),
    ("DROP TABLE event", "no such table: event"),
    ("ALTER TABLE batch RENAME COLUMN anchor TO ancre", "no such column: anchor"),
]


@pytest.mark.parametrize(("change", "what"), TAMPERINGS)
def test_what_contradicts_itself_is_corrupt(path: Path, change: str, what: str) -> None:
    alter(path, change)
    with pytest.raises(JournalCorruptError, match=what) as raised:
        JournalWriter(path, SIGNER, 10)
    assert raised.value.path == path


@pytest.mark.parametrize("table", ["event", "batch"])
def test_one_flipped_bit_of_what_is_yet_to_be_built_on_is_found(path: Path, table: str) -> None:
    column, newest = {"event": ("statement", "sequence = 13"), "batch": ("anchor", "number = 3")}[table]
    with closing(sqlite3.connect(path)) as connection:
        sound: bytes = connection.execute(f"SELECT {column} FROM {table} WHERE {newest}").fetchone()[0]
    for place in range(0, len(sound), 7):
        alter(path, f"UPDATE {table} SET {column} = ? WHERE {newest}", flipped(sound, place))
        with pytest.raises(JournalCorruptError):
            JournalWriter(path, SIGNER, 10)
    alter(path, f"UPDATE {table} SET {column} = ? WHERE {newest}", sound)
    JournalWriter(path, SIGNER, 10).close()


def test_an_event_of_another_journal_in_its_place_is_found(path: Path, tmp_path: Path) -> None:
    with open_journal(tmp_path / "other", 1000) as other:
        other.commit([new_event(number=number) for number in range(13)])
        with closing(sqlite3.connect(other.path)) as connection:
            (statement,) = connection.execute("SELECT statement FROM event WHERE sequence = 13").fetchone()
    alter(path, "UPDATE event SET statement = ? WHERE sequence = 13", statement)
    with pytest.raises(JournalCorruptError, match="event 13 is another's"):
        JournalWriter(path, SIGNER, 10)


@pytest.mark.parametrize("content", [b"", b"not a database", b"not a database, and longer than its header" * 200])
def test_a_file_that_is_no_journal_is_corrupt(path: Path, content: bytes) -> None:
    for log in path.parent.glob("journal.sqlite-*"):
        log.unlink()
    path.write_bytes(content)
    with pytest.raises(JournalCorruptError):
        JournalWriter(path, SIGNER, 10)


@pytest.mark.parametrize("size", [100, 4096, 5000, 8192, 12288])
def test_a_truncated_file_is_corrupt(path: Path, size: int) -> None:
    content = path.read_bytes()
    assert size < len(content)
    path.write_bytes(content[:size])
    with pytest.raises(JournalCorruptError):
        JournalWriter(path, SIGNER, 10)


def test_another_key_than_the_journals_is_not_gone_on_with(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.commit([new_event(), SEAL])
    with pytest.raises(JournalCorruptError, match="not signed by this gateway's key"):
        JournalWriter(journal.path, FileSigner("demo", "gw-1", OTHER_KEY), 10)


@pytest.mark.parametrize(("city", "gateway"), [("demo", "gw-2"), ("town", "gw-1")])
def test_the_journal_of_another_gateway_is_left_alone(path: Path, city: str, gateway: str) -> None:
    content = path.read_bytes()
    with pytest.raises(JournalForeignError, match=f"the journal of demo/gw-1, not of {city}/{gateway}: correct"):
        JournalWriter(path, FileSigner(city, gateway, GATEWAY_KEY), 10)
    assert path.read_bytes() == content


def test_the_newest_receipt_bounds_the_next_anchor(tmp_path: Path) -> None:
    ledger = Ledger()
    with open_journal(tmp_path, 1) as journal:
        journal.commit([new_event(number=1), new_event(number=2)])
        answers = {batch: ledger.register(anchor) for batch, anchor in anchors(journal.path).items()}
        journal.commit([KeepAnswer(batch, *answer) for batch, answer in sorted(answers.items())])
    with closing(open_to_write(journal.path)) as connection:
        assert load(connection, journal.path, SIGNER).ledger_seen == answers[2][1]
