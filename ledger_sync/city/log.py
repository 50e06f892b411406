"""The ledger's log: an RFC 9162 tree over anchors, in SQLite; append, roots, and proofs at any size.

One writer. Nothing is signed here, and nothing decides what enters.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlite_utils import Database

from ledger_sync.proof.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    consistency_path,
    inclusion_path,
    leaf_hash,
    peaks_of,
    subtree_root,
)
from ledger_sync.proof.receipt import SignedRoot

from .errors import LogError, StorageError
from .growth import Growth
from .schema import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SHARD = "log-1"
"""The sub claim of receipts and refusals: the name of this log among a ledger's logs."""

CACHE_KIB = 32 * 1024
BUSY_DEADLINE_MS = 5000


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head of the log; `issued_at` in UTC s."""

    tree_size: int
    issued_at: int
    signed: SignedRoot


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as StorageError (a disk that refuses) or LogError (a file that is wrong)."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(f"{path}: {error}; see the disk's free space and its health") from error
    except sqlite3.DatabaseError as error:
        raise LogError(f"{path}: {error}; keep the file for examination and restore a backup") from error


class Log:
    """The log in the file at `path`, made if there is none. Of one thread; `transaction` groups what is written.

    After any exception from a write its state in memory is unknown: close it, and open the file anew.
    Raises StorageError and LogError on opening; otherwise sqlite3's errors, which `storage_errors` translates.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with storage_errors(path):
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_DEADLINE_MS / 1000)
            try:
                self._prepare()
                self.size, self.head = self._read_state()
                self._peaks = {level: self.node(level, index) for level, index in peaks_of(self.size)}
                self._check()
            except BaseException:
                self.connection.close()
                raise

    def _prepare(self) -> None:
        journal_mode = self.connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        # FULL: a commit that returned has reached the disk; only then may its receipts leave the process.
        self.connection.execute("PRAGMA synchronous = FULL")
        synchronous = self.connection.execute("PRAGMA synchronous").fetchone()[0]
        if (journal_mode, synchronous) != ("wal", 2):
            raise LogError(f"{self.path}: SQLite keeps no write-ahead log here ({journal_mode}); use a local disk")
        self.connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        migrations.apply(Database(self.connection, use_counts_table=False))

    def _read_state(self) -> tuple[int, Head | None]:
        size = self.connection.execute("SELECT coalesce(max(entry) + 1, 0) FROM entries").fetchone()[0]
        newest = self.connection.execute("SELECT max(tree_size) FROM heads").fetchone()[0]
        return size, None if newest is None else self.head_at(newest)

    def _check(self) -> None:
        """Entries and their head are committed together: anything else is damage."""
        head = self.head
        tree_size, root = (head.tree_size, head.signed.root) if head else (0, EMPTY_ROOT)
        if (tree_size, root) != (self.size, self.root()):
            self.close()
            raise LogError(
                f"{self.path}: the newest signed head ({tree_size} entries) is not that of the {self.size} entries;"
                " keep the file for examination and restore a backup"
            )

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable on leaving. A failed COMMIT has an unknown outcome until the file is reopened."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # SQLite may have rolled back by itself (a full disk): then there is nothing left to do.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def append(self, anchors: Sequence[bytes]) -> Growth:
        """Append entries (at least one), in order, from index `size` on."""
        growth = Growth(self.size, self._peaks, [leaf_hash(anchor) for anchor in anchors])
        nodes = growth.nodes_completed_by
        rows = [(entry, nodes(entry), anchor) for entry, anchor in enumerate(anchors, self.size)]
        self.connection.executemany("INSERT INTO entries (entry, nodes, anchor) VALUES (?, ?, ?)", rows)
        self.size, self._peaks = growth.size, growth.peaks()
        return growth

    def add_head(self, head: Head) -> None:
        """Keep a signed head; its tree size is one that was never signed before."""
        signed = head.signed
        self.connection.execute(
            "INSERT INTO heads (tree_size, root, issued_at, protected, signature) VALUES (?, ?, ?, ?, ?)",
            (head.tree_size, signed.root, head.issued_at, signed.protected, signed.signature),
        )
        self.head = head

    def head_at(self, tree_size: int) -> Head | None:
        """The head that was signed over `tree_size` entries, if one was."""
        row = self.connection.execute(
            "SELECT issued_at, protected, root, signature FROM heads WHERE tree_size = ?", (tree_size,)
        ).fetchone()
        return None if row is None else Head(tree_size, row[0], SignedRoot(row[1], row[2], row[3]))

    def anchor(self, entry: int) -> bytes:
        """The bytes of the entry at an index below `size`."""
        row = self.connection.execute("SELECT anchor FROM entries WHERE entry = ?", (entry,)).fetchone()
        return bytes(row[0])

    def node(self, level: int, index: int) -> bytes:
        """The root of the complete subtree over entries [index * 2**level, (index + 1) * 2**level)."""
        last = (index + 1 << level) - 1
        row = self.connection.execute(
            "SELECT substr(nodes, ?, ?) FROM entries WHERE entry = ?", (HASH_BYTES * level + 1, HASH_BYTES, last)
        ).fetchone()
        if row is None or len(row[0]) != HASH_BYTES:
            raise LogError(f"{self.path}: node {index} of level {level} is missing; keep the file and restore a backup")
        return bytes(row[0])

    def root(self) -> bytes:
        """The root of the log as it is."""
        return subtree_root(0, self.size, self.node) if self.size else EMPTY_ROOT

    def inclusion_path(self, entry: int, tree_size: int) -> list[bytes]:
        """The siblings of an entry in the log's first `tree_size` entries, from the leaf up; O(log² n) reads."""
        return inclusion_path(entry, tree_size, self.node)

    def consistency_path(self, first: int, second: int) -> list[bytes]:
        """The proof that the log of `second` entries continues that of `first`; needs 0 < first <= second <= size."""
        return consistency_path(first, second, self.node)
