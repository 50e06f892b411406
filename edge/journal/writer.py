"""The journal's one writer: groups of changes in, one durable transaction each.

All state here can be thrown away and read again from the file: `load` is the start path and the recovery path. Where a
crash matters, a comment says what is true on disk; `step` lets a fault test stop there.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ledger_sync.proof.anchor import AnchorClaims, LedgerHead, anchor_hash
from ledger_sync.proof.event import PayloadEncoder, Stamp
from ledger_sync.proof.event_types import EVENT_TYPES, PASSPORT
from ledger_sync.proof.merkle import Frontier, leaf_hash

from .errors import JournalCorruptError, UnknownOutcomeError, is_corruption
from .load import Loaded, Passport, load
from .recall import DeviceRecall, Seen
from .schema import migrate, open_to_write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.signer import Signer
    from ledger_sync.proof.event_types import EventType


class NewEvent(NamedTuple):
    """An event to be recorded: everything but what only the commit can give it.

    `data` and `evidence` (field 11) are encoded and checked. A `device.passport` is recorded only where it says
    something else than the device's newest one.
    """

    device: str
    row: EventType
    data: bytes
    origin: int
    stamp: Stamp
    recall: bytes | None
    evidence: bytes = b""


@dataclass(frozen=True, slots=True)
class Seal:
    """Close the open batch, if it has any event."""


@dataclass(frozen=True, slots=True)
class KeepAnswer:
    """Keep what the ledger said of a batch: a verified receipt (with the head that it proves), or a signed refusal."""

    batch: int
    answer: bytes
    head: LedgerHead | None


Change = NewEvent | Seal | KeepAnswer

GAP = "gateway.gap"
_PASSPORT = EVENT_TYPES[PASSPORT]
_SAYS_NOTHING = b"\xa0"
"""A passport without any field; it is not recorded of a device that has none."""


@dataclass(slots=True)
class OpenBatch:
    """The batch that is being filled; nothing of it is stored but its events."""

    first_sequence: int
    tree: Frontier = field(default_factory=Frontier)
    time_min_us: int = 0
    time_max_us: int = 0
    gaps: int = 0
    devices: set[str] = field(default_factory=set)

    def add(self, device: str, event_type: str, utc_us: int, statement: bytes) -> None:
        """Take in the next event."""
        if not self.tree.size:
            self.time_min_us = self.time_max_us = utc_us
        elif utc_us > self.time_max_us:
            self.time_max_us = utc_us
        elif utc_us < self.time_min_us:
            self.time_min_us = utc_us
        self.tree.append(leaf_hash(statement))
        self.gaps += event_type == GAP
        self.devices.add(device)


class JournalWriter:
    """Owns the file. Not thread-safe: one thread calls it. Signed bytes leave it only after COMMIT."""

    def __init__(
        self, path: Path, signer: Signer, count_max: int, step: Callable[[str], None] = lambda _: None
    ) -> None:
        """Opens and reads the journal. Raises JournalCorruptError, JournalForeignError or sqlite3.OperationalError."""
        self.path = path
        self._signer = signer
        self._count_max = count_max
        self._step = step
        self._open_file()

    def _open_file(self) -> None:
        log, index = (self.path.with_name(self.path.name + ending) for ending in ("-wal", "-shm"))
        if index.exists() and not log.exists():
            # SQLite makes the log before its index and removes it after: this is no trace of a crash. Without the log
            # the file is one of an earlier day, and its sequences would be given away a second time.
            raise JournalCorruptError(self.path, "its write-ahead log is gone, and with it the newest events")
        try:
            self._connection = open_to_write(self.path)
            try:
                migrate(self._connection, self.path)
                self._take(load(self._connection, self.path, self._signer))
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            if not is_corruption(error):
                raise
            raise JournalCorruptError(self.path, str(error)) from error

    def _take(self, loaded: Loaded) -> None:
        self.journal_id = loaded.journal_id
        self.next_sequence = loaded.first_open
        self._next_batch = loaded.next_batch
        self._last_anchor_hash = loaded.last_anchor_hash
        self._ledger_seen = loaded.ledger_seen
        self._counters = loaded.counters
        self._passports = loaded.passports
        self._recalls = loaded.recalls
        self._encoder = PayloadEncoder(loaded.journal_id)
        self._open = OpenBatch(self.next_sequence)
        for row in loaded.open_events:
            self._count_in(row.device, row.type, row.utc_us, row.statement, row.recall)

    def _count_in(self, device: str, event_type: str, utc_us: int, statement: bytes, recall: bytes | None) -> None:
        """What appending an event does to the state in memory; the start path does the same with the stored rows."""
        self.next_sequence += 1
        self._counters[device] = self._counters.get(device, 0) + 1
        self._open.add(device, event_type, utc_us, statement)
        if recall is not None:
            self._recalls.setdefault(device, DeviceRecall()).remember(recall)

    @property
    def position(self) -> tuple[int, int]:
        """(next sequence, next batch)."""
        return self.next_sequence, self._next_batch

    @property
    def open_count(self) -> int:
        """Events in the open batch."""
        return self._open.tree.size

    def size_bytes(self) -> int:
        """Bytes of the file and its `-wal`."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        return self.path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)

    def commit(self, changes: Sequence[Change]) -> list[Seen]:
        """Carry out all changes in one transaction; durable on return.

        Returns, for each NewEvent in order, whether it was new. Raises UnknownOutcomeError: nothing may be told to
        anybody then, nor committed, until `reopen`.
        """
        self._step("journal.begin")
        events: list[tuple[int, str, str, int, bytes, bytes | None]] = []
        seen: list[Seen] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                if isinstance(change, NewEvent):
                    seen.append(self._append(change, events))
                    if self._open.tree.size >= self._count_max:
                        self._seal()
                elif isinstance(change, Seal):
                    self._seal()
                else:
                    self._keep(change)
            self._step("journal.signed")
            self._connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", events)
            self._step("journal.inserted")
            # Power off before this line: the group never was. After it: it is, though nobody was told; devices send
            # again what was not answered, and are answered from `recall`.
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise UnknownOutcomeError(f"{self.path}: {error}", seen) from error
        self._step("journal.committed")
        return seen

    def _append(self, change: NewEvent, events: list[tuple[int, str, str, int, bytes, bytes | None]]) -> Seen:
        device, recall = change.device, change.recall
        if recall is not None:
            known = self._recalls.setdefault(device, DeviceRecall()).look_up(recall)
            if known is not Seen.NEW:
                return known
        sequence, stamp, row, data = self.next_sequence, change.stamp, change.row, change.data
        passport = self._passports.get(device)
        if row is _PASSPORT:
            if data == (passport.data if passport else _SAYS_NOTHING):
                return Seen.SAME
            self._passports[device], passport = Passport(sequence, data), None
        counter = self._counters.get(device, 0) + 1
        payload = self._encoder.encode(
            sequence,
            counter,
            stamp,
            row,
            data,
            change.origin,
            change.evidence,
            passport.sequence if passport else None,
        )
        statement = self._signer.statement(device, payload)
        events.append((sequence, device, row.name, stamp.utc_us, statement, recall))
        self._count_in(device, row.name, stamp.utc_us, statement, recall)
        return Seen.NEW

    def _seal(self) -> None:
        batch = self._open
        if not batch.tree.size:
            return
        number = self._next_batch
        now_us = time.time_ns() // 1000
        claims = AnchorClaims(
            issuer=self._signer.issuer,
            issued_at=now_us // 1_000_000,
            journal=self.journal_id,
            batch=number,
            previous=self._last_anchor_hash,
            count=batch.tree.size,
            first_sequence=batch.first_sequence,
            time_min_us=batch.time_min_us,
            time_max_us=batch.time_max_us,
            gaps=batch.gaps,
            ledger_seen=self._ledger_seen,
        )
        anchor = self._signer.anchor(claims, batch.tree.root())
        execute = self._connection.execute
        execute(
            "INSERT INTO batch (number, first_sequence, count, sealed_us, anchor) VALUES (?, ?, ?, ?, ?)",
            (number, batch.first_sequence, batch.tree.size, now_us, anchor),
        )
        for device in batch.devices:
            execute("INSERT OR REPLACE INTO device VALUES (?, ?)", (device, self._counters[device]))
            self._seal_recall(device, number)
        self._last_anchor_hash = anchor_hash(anchor)
        self._next_batch += 1
        self._open = OpenBatch(self.next_sequence)
        self._step("journal.sealed")

    def _seal_recall(self, device: str, batch: int) -> None:
        recall = self._recalls.get(device)
        entries = recall.seal(batch) if recall else b""
        if recall and entries:
            self._connection.execute("INSERT INTO recall VALUES (?, ?, ?)", (device, batch, entries))
            forgotten = recall.forget_old()
            if forgotten is not None:
                self._connection.execute("DELETE FROM recall WHERE device = ? AND batch <= ?", (device, forgotten))

    def _keep(self, change: KeepAnswer) -> None:
        column = "receipt" if change.head else "refusal"
        self._connection.execute(
            f"UPDATE batch SET {column} = ?, answered_us = ? WHERE number = ? AND receipt IS NULL",  # noqa: S608 - one of two words
            (change.answer, time.time_ns() // 1000, change.batch),
        )
        if change.head and (self._ledger_seen is None or change.head.tree_size > self._ledger_seen.tree_size):
            self._ledger_seen = change.head
        self._step("journal.answer-kept")

    def reopen(self) -> None:
        """Read everything again from the disk, after a commit whose outcome is unknown.

        What an fsync that failed has left is in the page cache only, and the next fsync would call it written; so the
        WAL is written over into the file first. Raises like the constructor, and sqlite3.Error while the disk fails.
        """
        self._connection.close()
        self._open_file()
        busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise sqlite3.OperationalError("a reader holds the write-ahead log; it is tried again")

    def close(self) -> None:
        """Close the file; everything in it was durable before. The write-ahead log is emptied if no reader is busy."""
        with contextlib.suppress(sqlite3.Error):  # the next start reads the log just as well
            self._connection.execute("PRAGMA busy_timeout = 0")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
