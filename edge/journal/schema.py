"""The journal's tables (version 2), and how its connections are opened.

Kept readable for sqlite3, sqlite-utils and Datasette. The hot table is `event`: one insert an event, at its end, and
no index beside the key but two small ones of what a start looks for, so that a commit touches the fewest pages. What
can be derived is not stored: an event's batch is the one whose range holds its sequence, a batch's state follows from
its receipt and refusal.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from .errors import JournalForeignError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

SCHEMA_VERSION = 2
WAL_BYTES_MAX = 8 << 20

_TABLES = """
CREATE TABLE journal (
    id BLOB NOT NULL CHECK (length(id) = 16),
    city TEXT NOT NULL,
    gateway TEXT NOT NULL,
    born_us INTEGER NOT NULL
);
CREATE TABLE event (
    sequence INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    type TEXT NOT NULL,
    utc_us INTEGER NOT NULL,
    statement BLOB NOT NULL,
    recall BLOB
);
CREATE TABLE batch (
    number INTEGER PRIMARY KEY,
    first_sequence INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sealed_us INTEGER NOT NULL,
    anchor BLOB NOT NULL,
    receipt BLOB,
    refusal BLOB,
    answered_us INTEGER,
    state TEXT NOT NULL GENERATED ALWAYS AS (
        CASE WHEN receipt IS NOT NULL THEN 'receipted' WHEN refusal IS NOT NULL THEN 'refused' ELSE 'sealed' END
    ) VIRTUAL
);
CREATE INDEX batch_waiting ON batch (number) WHERE receipt IS NULL;
CREATE INDEX batch_first_sequence ON batch (first_sequence);
CREATE TABLE device (
    id TEXT PRIMARY KEY,
    counter INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE recall (
    device TEXT NOT NULL,
    batch INTEGER NOT NULL,
    entries BLOB NOT NULL,
    PRIMARY KEY (device, batch)
) WITHOUT ROWID;
CREATE VIEW event_state AS
    SELECT event.sequence, event.device, event.type, event.utc_us, batch.number AS batch,
           coalesce(batch.state, 'open') AS state
    FROM event LEFT JOIN batch ON batch.number = (
        SELECT number FROM batch WHERE first_sequence <= event.sequence ORDER BY first_sequence DESC LIMIT 1
    ) AND event.sequence < batch.first_sequence + batch.count;
"""
_PASSPORTS = "CREATE INDEX event_passport ON event (device) WHERE type = 'device.passport'"
_COUNTER_TOTALS = "CREATE INDEX event_counter_total ON event (device) WHERE type = 'counter.total'"


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to this version. Raises JournalForeignError for a newer one."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise JournalForeignError(f"{path}: is of schema {version}; this software knows {SCHEMA_VERSION}: update it")
    if version == SCHEMA_VERSION:
        return
    # Imported only when there is something to do: it would cost each start 60 ms and 8 MB.
    from sqlite_utils import Database as SqliteUtilsDatabase  # noqa: PLC0415 - as said
    from sqlite_utils.migrations import Migrations  # noqa: PLC0415 - as said

    migrations = Migrations("wayside-journal")

    @migrations(name="1-tables")
    def tables(database: Database) -> None:
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                database.execute(statement)

    @migrations(name="2-passports")
    def passports(database: Database) -> None:
        database.execute(_PASSPORTS)
        database.execute(_COUNTER_TOTALS)

    migrations.apply(SqliteUtilsDatabase(connection))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def open_to_write(path: Path) -> sqlite3.Connection:
    """The writing connection: WAL, synchronous FULL, so that COMMIT returns after the WAL's fdatasync."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; works beside the writing one. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=10)
    try:
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
