from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlite_utils import Database

from edge.journal.errors import JournalForeignError
from edge.journal.schema import SCHEMA_VERSION, migrate, open_to_read, open_to_write
from tests.edge.journals import alter, open_journal, receipted_journal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return receipted_journal(tmp_path, batches=3, count=2, receipts=1)


def test_the_tables_are_those_that_people_read(path: Path) -> None:
    database = Database(path)
    assert {"journal", "event", "batch", "device", "recall"} <= set(database.table_names())
    assert database.view_names() == ["event_state"]
    assert set(database["event"].columns_dict) == {"sequence", "device", "type", "utc_us", "statement", "recall"}
    database.close()


def test_the_view_tells_each_events_batch_and_state(path: Path) -> None:
    database = Database(path)
    rows = [(row["sequence"], row["batch"], row["state"]) for row in database["event_state"].rows]
    database.close()
    assert rows == [
        (1, 1, "receipted"),
        (2, 1, "receipted"),
        (3, 2, "sealed"),
        (4, 2, "sealed"),
        (5, 3, "sealed"),
        (6, 3, "sealed"),
        (7, None, "open"),
    ]


def test_the_view_finds_a_batch_by_its_index(path: Path) -> None:
    with closing(open_to_read(path)) as connection:
        plan = " ".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN SELECT * FROM event_state"))
    assert "batch_first_sequence" in plan
    assert "SCAN batch" not in plan


def test_a_refused_batch_shows_until_a_receipt_comes(path: Path) -> None:
    states = "SELECT state FROM batch WHERE number = 2"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE batch SET refusal = x'00' WHERE number = 2")
        assert connection.execute(states).fetchone() == ("refused",)
        connection.execute("UPDATE batch SET receipt = x'00' WHERE number = 2")
        assert connection.execute(states).fetchone() == ("receipted",)


def test_what_commits_is_synced_and_what_reads_cannot_write(path: Path) -> None:
    with closing(open_to_write(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    with closing(open_to_read(path)) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM event")


def test_opening_again_changes_nothing(path: Path) -> None:
    def schema() -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()

    before = schema()
    with open_journal(path.parent.parent):
        assert schema() == before


def test_a_crash_before_the_version_is_written_is_made_good(path: Path) -> None:
    alter(path, "PRAGMA user_version = 0")
    with closing(open_to_write(path)) as connection:
        migrate(connection, path)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (7,)


def test_a_newer_schema_is_left_alone(path: Path) -> None:
    alter(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with closing(open_to_write(path)) as connection, pytest.raises(JournalForeignError, match="knows 2: update it"):
        migrate(connection, path)
