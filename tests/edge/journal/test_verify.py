from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge.journal.errors import JournalCorruptError
from edge.journal.reader import JournalReader
from edge.journal.verify import JournalRefutedError, JournalVerdict, verify_journal
from edge.signer import FileSigner
from ledger_sync.proof.trust import LedgerKey
from tests.edge.journals import (
    GATEWAY_KEY,
    LEDGER_KEY,
    LEDGERS,
    OTHER_KEY,
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
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three batches of four, two of them receipted; then one open event."""
    return receipted_journal(tmp_path, receipts=2)


def verify(path: Path, key: bytes = GATEWAY_KEY.public_key, ledgers: Sequence[LedgerKey] = LEDGERS) -> JournalVerdict:
    with JournalReader(path) as reader:
        return verify_journal(reader, key, ledgers)


def refuted(path: Path) -> str:
    with pytest.raises(JournalRefutedError) as raised:
        verify(path)
    return str(raised.value)


def stored(path: Path, query: str) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        value: bytes = connection.execute(query).fetchone()[0]
    return value


def test_a_whole_journal_verifies_and_is_counted(path: Path) -> None:
    assert verify(path) == JournalVerdict(events=13, batches=3, receipts=2)


def test_an_empty_journal_verifies(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        assert verify(journal.path) == JournalVerdict(0, 0, 0)


def test_a_refused_batch_verifies(path: Path) -> None:
    alter(path, "UPDATE batch SET refusal = ? WHERE number = 3", Ledger().refuse(anchors(path)[3]))
    assert verify(path).batches == 3


TAMPERINGS = [
    ("DELETE FROM event WHERE sequence = 2", "event 2 is missing, or another stands in its place"),
    ("DELETE FROM event WHERE sequence = 4", "batch 1: its 3 events do not give the root that was anchored"),
    ("DELETE FROM batch WHERE number = 1", "batch 1 is missing, or does not begin with event 1"),
    ("DELETE FROM batch WHERE number = 2", "batch 2 is missing, or does not begin with event 5"),
    ("UPDATE event SET sequence = 20 WHERE sequence = 13", "event 13 is missing, or another stands in its place"),
    ("UPDATE event SET device = 'gate-2' WHERE sequence = 3", "event 3: its row's device, type or time is not"),
    ("UPDATE event SET type = 'meter.reading' WHERE sequence = 3", "event 3: its row's device, type or time is not"),
    ("UPDATE event SET utc_us = utc_us + 1 WHERE sequence = 13", "event 13: its row's device, type or time is not"),
    ("UPDATE event SET statement = x'd284' WHERE sequence = 3", "event 3: "),
    (
        "UPDATE event SET statement = (SELECT statement FROM event WHERE sequence = 4) WHERE sequence = 3",
        "event 3 is missing, or another stands in its place",
    ),
    ("UPDATE batch SET count = 5 WHERE number = 1", "batch 1: its row contradicts its anchor"),
    ("UPDATE batch SET sealed_us = sealed_us - 1000000 WHERE number = 1", "batch 1: its row contradicts its anchor"),
    (
        "UPDATE batch SET anchor = (SELECT anchor FROM batch WHERE number = 2) WHERE number = 1",
        "batch 1: its row contr",
    ),
    ("UPDATE batch SET anchor = x'd284' WHERE number = 2", "batch 2: its anchor "),
    ("UPDATE batch SET receipt = x'd284' WHERE number = 2", "batch 2: its receipt "),
    ("UPDATE batch SET receipt = 'text' WHERE number = 2", "batch 2: its receipt "),
    (
        "UPDATE batch SET receipt = (SELECT receipt FROM batch WHERE number = 1) WHERE number = 2",
        "batch 2: its receipt is not one of a [[ledger]] of the configuration for this anchor",
    ),
    ("UPDATE batch SET refusal = x'd284' WHERE number = 3", "batch 3: its refusal "),
    ("UPDATE device SET counter = 1", "the device table's counters are not those of the sealed events"),
    ("UPDATE journal SET id = randomblob(16)", "batch 1: its row contradicts its anchor"),
]


@pytest.mark.parametrize(("change", "sentence"), TAMPERINGS)
def test_the_first_thing_that_fails_is_named(path: Path, change: str, sentence: str) -> None:
    alter(path, change)
    assert refuted(path).startswith(sentence)


@pytest.mark.parametrize(
    "change",
    ["UPDATE event SET statement = 'text'", "UPDATE batch SET count = 'many'", "DROP TABLE batch"],
)
def test_a_row_of_another_kind_is_corrupt(path: Path, change: str) -> None:
    alter(path, change)
    with pytest.raises(JournalCorruptError):
        verify(path)


@pytest.mark.parametrize(
    ("table", "column", "which", "named"),
    [
        ("event", "statement", "sequence = 6", "event 6"),
        ("event", "statement", "sequence = 13", "event 13"),
        ("batch", "anchor", "number = 2", "batch 2"),
        ("batch", "receipt", "number = 2", "batch 2: its receipt"),
    ],
)
def test_any_flipped_bit_is_found_and_placed(path: Path, table: str, column: str, which: str, named: str) -> None:
    sound = stored(path, f"SELECT {column} FROM {table} WHERE {which}")
    for place in range(0, len(sound), 11):
        alter(path, f"UPDATE {table} SET {column} = ? WHERE {which}", flipped(sound, place))
        assert refuted(path).startswith(named)
    alter(path, f"UPDATE {table} SET {column} = ? WHERE {which}", sound)
    verify(path)


def test_another_gateways_key_verifies_nothing(path: Path) -> None:
    with pytest.raises(JournalRefutedError, match="batch 1: its anchor is not signed by this gateway's key"):
        verify(path, OTHER_KEY.public_key)


def test_an_event_signed_by_another_key_in_an_open_batch_is_named(tmp_path: Path) -> None:
    with open_journal(tmp_path, signer=FileSigner("demo", "gw-1", OTHER_KEY)) as journal:
        journal.commit([new_event()])
    assert refuted(journal.path).startswith("event 1 is not signed by this gateway's key")


def test_a_chain_that_is_cut_is_named(tmp_path: Path) -> None:
    with open_journal(tmp_path, 4) as journal:
        journal.commit([new_event(number=number) for number in range(8)])
        journal._last_anchor_hash = bytes(32)
        journal.commit([new_event(), SEAL])
    assert refuted(journal.path) == "batch 3: its anchor does not name the one before it"


@pytest.mark.parametrize(
    "ledgers",
    [(), (LedgerKey("ledger-2", LEDGER_KEY.public_key),), (LedgerKey("ledger-1", OTHER_KEY.public_key),)],
)
def test_receipts_count_only_from_the_configured_ledger(path: Path, ledgers: tuple[LedgerKey, ...]) -> None:
    with pytest.raises(JournalRefutedError, match="batch 1: its receipt is not one of"):
        verify(path, ledgers=ledgers)


def test_a_receipt_that_names_another_city_does_not_verify(path: Path) -> None:
    receipt, _ = Ledger(city="town").register(anchors(path)[1])
    alter(path, "UPDATE batch SET receipt = ? WHERE number = 1", receipt)
    assert refuted(path).startswith("batch 1: its receipt is not one of a [[ledger]]")


def test_any_key_of_a_ledger_that_is_configured_counts(path: Path) -> None:
    assert verify(path, ledgers=(LedgerKey("ledger-1", OTHER_KEY.public_key), *LEDGERS)).receipts == 2


@pytest.mark.parametrize("key", [OTHER_KEY, LEDGER_KEY])
def test_a_refusal_must_be_the_ledgers_and_about_this_anchor(path: Path, key: object) -> None:
    about = 3 if key is OTHER_KEY else 2
    forged = Ledger(OTHER_KEY if key is OTHER_KEY else LEDGER_KEY).refuse(anchors(path)[about])
    alter(path, "UPDATE batch SET refusal = ? WHERE number = 3", forged)
    assert refuted(path).startswith("batch 3: its refusal is not one of a [[ledger]]")


def test_progress_is_told(tmp_path: Path) -> None:
    with open_journal(tmp_path, 2000) as journal:
        journal.commit([new_event(number=number) for number in range(2500)])
    told: list[int] = []
    with JournalReader(journal.path) as reader:
        verify_journal(reader, GATEWAY_KEY.public_key, LEDGERS, told.append)
    assert told == [1000, 2000]
