"""Reading a journal beside its writer: what the anchorer, the command line and `prove` need of it."""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ledger_sync.proof.anchor import parse_anchor
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event_types import EVENT_TYPES
from ledger_sync.proof.merkle import Frontier, leaf_hash
from ledger_sync.proof.names import JOURNAL_ID_BYTES

from .errors import JournalCorruptError, JournalError, is_corruption
from .load import EventRow
from .schema import open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType


PAGE_ROWS = 1000
SEQUENCE_MAX = (1 << 63) - 1


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


_BATCH_COLUMNS = ", ".join(field.name for field in fields(Batch))
_EVENT_COLUMNS = ", ".join(EventRow._fields)
_EVENT_TYPES = (int, str, str, int, bytes, object)
_BATCH_TYPES = (int, int, int, int, bytes, object, object, object, str)


class Backlog(NamedTuple):
    """What has no receipt: sealed batches, their events and the open ones, when the oldest was sealed (UTC µs)."""

    batches: int
    events: int
    oldest_us: int | None


class JournalReader:
    """A read-only view of one journal. May be used from any one thread at a time.

    Reads in pages, each of one moment: whoever reads slowly must not keep the writer from reusing its write-ahead log.
    """

    def __init__(self, path: Path) -> None:
        """Raises JournalError when there is no journal at `path`, JournalCorruptError when it is none."""
        if not path.exists():
            raise JournalError(f"{path}: there is no journal yet; `wayside run` makes it")
        self.path = path
        try:
            self._connection = open_to_read(path)
        except sqlite3.Error as error:
            raise _read_error(path, error) from error
        try:
            self.id = self._read_id()
        except JournalError:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read_id(self) -> bytes:
        births = list(self._rows("SELECT id FROM journal", (bytes,)))
        if len(births) != 1 or len(births[0][0]) != JOURNAL_ID_BYTES:
            raise JournalCorruptError(self.path, "has no journal id, or several")
        journal_id: bytes = births[0][0]
        return journal_id

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _rows(self, query: str, types: tuple[type, ...], *parameters: object) -> Iterator[tuple[Any, ...]]:
        """Rows whose columns have exactly these types; `object` allows any. A damaged file may hold others."""
        try:
            for row in self._connection.execute(query, parameters):
                for value, expected in zip(row, types, strict=True):
                    if type(value) is not expected and expected is not object:
                        raise JournalCorruptError(
                            self.path, f"has a row that is damaged: {type(value).__name__} for {expected.__name__}"
                        )
                yield row
        except sqlite3.Error as error:
            raise _read_error(self.path, error) from error

    def _batches(self, condition: str, *parameters: object) -> Iterator[Batch]:
        for row in self._rows(f"SELECT {_BATCH_COLUMNS} FROM batch {condition}", _BATCH_TYPES, *parameters):  # noqa: S608 - ours
            yield Batch(*row)

    def batches(self) -> Iterator[Batch]:
        """All sealed batches, oldest first."""
        page = self._page_of_batches(0)
        while page:
            yield from page
            page = self._page_of_batches(page[-1].number)

    def _page_of_batches(self, after: int) -> list[Batch]:
        return list(self._batches("WHERE number > ? ORDER BY number LIMIT ?", after, PAGE_ROWS))

    def batch(self, number: int) -> Batch | None:
        """One sealed batch."""
        return next(self._batches("WHERE number = ?", number), None)

    def batch_of(self, sequence: int) -> Batch | None:
        """The sealed batch that holds an event; None while it is open."""
        newest_first = "WHERE first_sequence <= ? ORDER BY first_sequence DESC LIMIT 1"
        found = next(self._batches(newest_first, sequence), None)
        return found if found and sequence < found.first_sequence + found.count else None

    def waiting(self, limit: int) -> list[Batch]:
        """The oldest batches that have no receipt yet; those that were refused come last."""
        return list(self._batches("WHERE receipt IS NULL ORDER BY refusal IS NOT NULL, number LIMIT ?", limit))

    def statement(self, sequence: int) -> bytes | None:
        """The bytes of one event; None for a sequence that there is not, however large."""
        return next((statement for _, statement in self.statements(sequence, 1)), None)

    def statements(self, first_sequence: int, count: int) -> Iterator[tuple[int, bytes]]:
        """(sequence, bytes) of the events from `first_sequence` on, `count` at most."""
        return ((row.sequence, row.statement) for row in self.rows(first_sequence, count))

    def rows(self, first_sequence: int, count: int) -> Iterator[EventRow]:
        """Events as they are stored, from `first_sequence` on, `count` at most."""
        end = first_sequence + count
        page = self._page_of_rows(first_sequence, end)
        while page:
            yield from page
            page = self._page_of_rows(page[-1].sequence + 1, end)

    def _page_of_rows(self, first: int, end: int) -> list[EventRow]:
        first, end = max(first, 0), min(end, SEQUENCE_MAX)
        if first >= end:
            return []
        query = f"SELECT {_EVENT_COLUMNS} FROM event WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?"  # noqa: S608 - ours
        return [EventRow(*row) for row in self._rows(query, _EVENT_TYPES, first, end, PAGE_ROWS)]

    def events(self) -> Iterator[EventSummary]:
        """All events in order, with their batch and state."""
        number = 0
        page = self._page_of_rows(1, SEQUENCE_MAX)
        while page:
            last = page[-1].sequence
            batches = deque(self._batches("WHERE number >= ? AND first_sequence <= ? ORDER BY number", number, last))
            for sequence, _, _, _, statement, _ in page:
                while batches and sequence >= batches[0].first_sequence + batches[0].count:
                    batches.popleft()
                batch = batches[0] if batches else None
                number = batch.number if batch else number
                yield EventSummary(
                    sequence, statement, batch.number if batch else None, batch.state if batch else "open"
                )
            page = self._page_of_rows(last + 1, SEQUENCE_MAX)

    def counts(self, column: str) -> dict[str, int]:
        """Number of events by `type`, `device` or `state`."""
        if column != "state":
            query = f"SELECT {column}, count(*) FROM event GROUP BY {column} ORDER BY {column}"  # noqa: S608 - ours
            return dict(self._rows(query, (str, int)))
        # From the batches: to join them with the events would take seconds where there are many.
        open_count = self._open_count()
        by_state = dict(self._rows("SELECT state, sum(count) FROM batch GROUP BY state ORDER BY state", (str, int)))
        return ({"open": open_count} if open_count else {}) | by_state

    def batch_count(self) -> int:
        """Number of sealed batches."""
        count: int = next(self._rows("SELECT count(*) FROM batch", (int,)))[0]
        return count

    def _open_count(self) -> int:
        """Events that no batch holds yet."""
        query = """SELECT count(*) FROM event
            WHERE sequence >= coalesce((SELECT first_sequence + count FROM batch ORDER BY number DESC LIMIT 1), 0)"""
        count: int = next(self._rows(query, (int,)))[0]
        return count

    def last_sequence(self) -> int:
        """The newest event's sequence; 0 when there is none."""
        last: int = next(self._rows("SELECT coalesce(max(sequence), 0) FROM event", (int,)))[0]
        return last

    def newest_between(self, first: int, last: int) -> Iterator[tuple[str, str, int]]:
        """(device, type, sequence) of the newest event of each device and type among those of these sequences."""
        query = """SELECT device, type, max(sequence) FROM event
            WHERE sequence >= ? AND sequence <= ? GROUP BY device, type"""
        yield from self._rows(query, (str, str, int), first, last)

    def newest_of(self, device: str, event_type: str) -> EventRow | None:
        """The newest event of a device and type. A `counter.total` is found by its index, any other by reading back."""
        known = EVENT_TYPES.get(event_type)
        if known is None:
            return None
        # SQLite takes the index for a type that stands in the query, and not for a parameter.
        query = f"""SELECT {_EVENT_COLUMNS} FROM event WHERE device = ? AND type = '{known.name}'
            ORDER BY sequence DESC LIMIT 1"""  # noqa: S608 - ours
        return next((EventRow(*row) for row in self._rows(query, _EVENT_TYPES, device)), None)

    def backlog(self) -> Backlog:
        """What the ledger has not receipted yet."""
        query = "SELECT count(*), coalesce(sum(count), 0), min(sealed_us) FROM batch WHERE receipt IS NULL"
        batches, events, oldest_us = next(self._rows(query, (int, int, object)))
        return Backlog(batches, events + self._open_count(), oldest_us)

    def device_counters(self) -> dict[str, int]:
        """Each device's last counter, as of the last sealed batch."""
        return dict(self._rows("SELECT id, counter FROM device", (str, int)))

    def quick_check(self) -> None:
        """SQLite's own check of the whole file. Raises JournalCorruptError; may take a minute a gigabyte."""
        for (result,) in self._rows("PRAGMA quick_check(1)", (str,)):
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


def _read_error(path: Path, error: sqlite3.Error) -> JournalError:
    if is_corruption(error):
        return JournalCorruptError(path, str(error))
    return JournalError(f"{path}: cannot be read now ({error})")
