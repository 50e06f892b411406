"""Reading a journal beside its writer: what the anchorer, the command line and `prove` need of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from ledger_sync.proof.anchor import parse_anchor
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.merkle import Frontier, leaf_hash

from .errors import JournalCorruptError, JournalError
from .schema import open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Batch:
    """A sealed batch. `state` is sealed, receipted or refused."""

    number: int
    first_sequence: int
    count: int
    sealed_us: int
    anchor: bytes
    receipt: bytes | None
    refusal: bytes | None
    answered_us: int | None
    state: str


@dataclass(frozen=True, slots=True)
class EventSummary:
    """An event as `journal events` lists it; `batch` is None while it is open."""

    sequence: int
    statement: bytes
    batch: int | None
    state: str


class JournalReader:
    """A read-only view of one journal. May be used from any one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Raises JournalError when there is no journal at `path`, JournalCorruptError when it is none."""
        if not path.exists():
            raise JournalError(f"{path}: there is no journal yet; `wayside run` makes it")
        self.path = path
        try:
            self._connection = open_to_read(path)
            born = self._connection.execute("SELECT id, city, gateway FROM journal").fetchone()
            self.id, self.city, self.gateway = born
        except sqlite3.OperationalError as error:
            raise JournalError(f"{path}: cannot be read ({error})") from error
        except (sqlite3.DatabaseError, TypeError) as error:
            raise JournalCorruptError(path, str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _rows(self, query: str, *parameters: object) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._connection.execute(query, parameters)
        except sqlite3.OperationalError as error:
            raise JournalError(f"{self.path}: cannot be read now ({error})") from error
        except sqlite3.DatabaseError as error:
            raise JournalCorruptError(self.path, str(error)) from error

    def _batches(self, condition: str, *parameters: object) -> Iterator[Batch]:
        columns = ", ".join(field.name for field in fields(Batch))
        for row in self._rows(f"SELECT {columns} FROM batch {condition}", *parameters):  # noqa: S608 - ours
            yield Batch(*row)  # type: ignore[arg-type]

    def batches(self) -> Iterator[Batch]:
        """All sealed batches, oldest first."""
        return self._batches("ORDER BY number")

    def batch(self, number: int) -> Batch | None:
        """One sealed batch."""
        return next(self._batches("WHERE number = ?", number), None)

    def batch_of(self, sequence: int) -> Batch | None:
        """The sealed batch that holds an event; None while it is open."""
        found = next(self._batches("WHERE first_sequence <= ? ORDER BY number DESC LIMIT 1", sequence), None)
        return found if found and sequence < found.first_sequence + found.count else None

    def waiting(self, limit: int) -> list[Batch]:
        """The oldest batches that have no receipt yet; those that were refused come last."""
        return list(self._batches("WHERE receipt IS NULL ORDER BY refusal IS NOT NULL, number LIMIT ?", limit))

    def statement(self, sequence: int) -> bytes | None:
        """The bytes of one event."""
        row = next(self._rows("SELECT statement FROM event WHERE sequence = ?", sequence), None)
        return row[0] if row else None  # type: ignore[return-value]

    def statements(self, first_sequence: int, count: int) -> Iterator[tuple[int, bytes]]:
        """(sequence, bytes) of the events from `first_sequence` on, `count` at most."""
        end = first_sequence + count
        query = "SELECT sequence, statement FROM event WHERE sequence >= ? AND sequence < ? ORDER BY sequence"
        return self._rows(query, first_sequence, end)  # type: ignore[return-value]

    def events(self) -> Iterator[EventSummary]:
        """All events in order, with their batch and state."""
        batches = self.batches()
        batch = next(batches, None)
        for sequence, statement in self.statements(1, 1 << 62):
            while batch and sequence >= batch.first_sequence + batch.count:
                batch = next(batches, None)
            yield EventSummary(sequence, statement, batch.number if batch else None, batch.state if batch else "open")

    def counts(self, column: str) -> dict[str, int]:
        """Number of events by `type`, `device` or `state`."""
        query = f"SELECT {column}, count(*) FROM event_state GROUP BY {column} ORDER BY {column}"  # noqa: S608 - ours
        return {str(name): int(str(count)) for name, count in self._rows(query)}

    def waiting_summary(self) -> tuple[int, int | None]:
        """(number of batches without a receipt, when the oldest of them was sealed in UTC µs)."""
        count, oldest = next(self._rows("SELECT count(*), min(sealed_us) FROM batch WHERE receipt IS NULL"))
        return int(str(count)), None if oldest is None else int(str(oldest))

    def quick_check(self) -> None:
        """SQLite's own check of the whole file. Raises JournalCorruptError; may take a minute a gigabyte."""
        for (result,) in self._rows("PRAGMA quick_check(1)"):
            if result != "ok":
                raise JournalCorruptError(self.path, str(result))

    def interrupt(self) -> None:
        """End what another thread is reading with this reader, with a JournalError there."""
        self._connection.interrupt()

    def check_batch(self, batch: Batch) -> None:
        """Hash a batch's events again and hold the root against its anchor. Raises JournalCorruptError.

        SQLite's own check does not see a flipped byte in a row; this does.
        """
        tree = Frontier(leaf_hash(statement) for _, statement in self.statements(batch.first_sequence, batch.count))
        try:
            root = parse_anchor(batch.anchor).envelope.payload
        except ProofError as error:
            raise JournalCorruptError(self.path, f"batch {batch.number}: its anchor {error}") from error
        if tree.size != batch.count or tree.root() != root:
            raise JournalCorruptError(self.path, f"batch {batch.number}: its events are not those that were anchored")
