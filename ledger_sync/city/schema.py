"""The tables of the city ledger's log, as migrations: readable by `sqlite3`, sqlite-utils and Datasette."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils.migrations import Migrations

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Migrations("wayside.ledger")


@migrations()
def create_log(db: Database) -> None:
    """Entries, heads, chains and refusals.

    `entries.nodes` holds the hashes that this entry completed: its leaf, then each subtree of which it is the last
    leaf, 32 bytes a level. So the nodes are stored in the order in which they come to be, and every insert is an
    append at the end of one B-tree, at any size. (A table keyed by level and index has some twenty ends.)
    """
    db.execute("CREATE TABLE entries (entry INTEGER PRIMARY KEY, nodes BLOB NOT NULL, anchor BLOB NOT NULL) STRICT")
    db.execute(
        "CREATE TABLE heads (tree_size INTEGER PRIMARY KEY, root BLOB NOT NULL, issued_at INTEGER NOT NULL,"
        " protected BLOB NOT NULL, signature BLOB NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE chains (chain INTEGER PRIMARY KEY, gateway TEXT NOT NULL, journal BLOB NOT NULL,"
        " batch INTEGER NOT NULL, anchor_hash BLOB NOT NULL, next_sequence INTEGER NOT NULL,"
        " UNIQUE (gateway, journal)) STRICT"
    )
    db.execute(
        "CREATE TABLE batches (chain INTEGER NOT NULL, batch INTEGER NOT NULL, entry INTEGER NOT NULL,"
        " PRIMARY KEY (chain, batch)) STRICT, WITHOUT ROWID"
    )
    # The entry of the same chain and batch is the other half of the proof.
    db.execute(
        "CREATE TABLE contradictions (chain INTEGER NOT NULL, batch INTEGER NOT NULL, anchor BLOB NOT NULL,"
        " refused_at INTEGER NOT NULL, PRIMARY KEY (chain, batch)) STRICT, WITHOUT ROWID"
    )
    # A count and the newest case each, so that nobody can fill the disk with what is refused.
    db.execute(
        "CREATE TABLE refusals (gateway TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,"
        " anchor_hash BLOB NOT NULL, sentence TEXT NOT NULL, refused_at INTEGER NOT NULL,"
        " PRIMARY KEY (gateway, reason)) STRICT, WITHOUT ROWID"
    )
