"""Reading a journal's state from its file: the start path, and the way back after a failed commit.

Checks what is cheap and matters most: header and tables, the chain's end, every event of the open batch, whose root is
yet to be signed, and the passports that coming events will refer to.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ledger_sync.proof.anchor import anchor_hash, parse_anchor
from ledger_sync.proof.cose import is_signed_by, parse
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event import encode_data, parse_event
from ledger_sync.proof.event_types import EVENT_TYPES, PASSPORT
from ledger_sync.proof.names import JOURNAL_ID_BYTES, issuer
from ledger_sync.proof.receipt import parse_receipt

from .errors import JournalCorruptError, JournalForeignError, is_corruption
from .recall import DeviceRecall

if TYPE_CHECKING:
    from pathlib import Path

    from edge.signer import Signer
    from ledger_sync.proof.anchor import LedgerHead
    from ledger_sync.proof.event import Event


class EventRow(NamedTuple):
    """A row of `event`."""

    sequence: int
    device: str
    type: str
    utc_us: int
    statement: bytes
    recall: bytes | None


_COLUMNS = ", ".join(EventRow._fields)


class Passport(NamedTuple):
    """A device's newest passport: the sequence of its event, and its encoded data."""

    sequence: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """Where a journal stands."""

    journal_id: bytes
    first_open: int
    next_batch: int
    last_anchor_hash: bytes | None
    ledger_seen: LedgerHead | None
    counters: dict[str, int]
    passports: dict[str, Passport]
    recalls: dict[str, DeviceRecall]
    open_events: list[EventRow]


def load(connection: sqlite3.Connection, path: Path, signer: Signer) -> Loaded:
    """The journal's state.

    Raises JournalCorruptError, JournalForeignError, and sqlite3.OperationalError when the disk cannot be read.
    """
    try:
        return _load(connection, path, signer)
    except sqlite3.Error as error:
        if not is_corruption(error):
            raise
        raise JournalCorruptError(path, str(error)) from error
    except (ProofError, TypeError) as error:  # a value of another type than its column's is damage, too
        raise JournalCorruptError(path, str(error)) from error


def _load(connection: sqlite3.Connection, path: Path, signer: Signer) -> Loaded:
    born = connection.execute("SELECT id, city, gateway FROM journal").fetchall()
    if len(born) != 1:
        raise JournalCorruptError(path, f"has {len(born)} births instead of one")
    journal_id, city, gateway = born[0]
    if not isinstance(journal_id, bytes) or len(journal_id) != JOURNAL_ID_BYTES:
        raise JournalCorruptError(path, f"its id is not {JOURNAL_ID_BYTES} bytes")
    if issuer(city, gateway) != signer.issuer:
        raise JournalForeignError(
            f"{path}: is the journal of {issuer(city, gateway)}, not of {signer.issuer}: "
            "correct city and gateway in the configuration, or give this gateway a data_dir of its own"
        )
    last = connection.execute(
        "SELECT number, first_sequence, count, anchor FROM batch ORDER BY number DESC LIMIT 1"
    ).fetchone()
    first_open, next_batch, last_anchor_hash = 1, 1, None
    if last:
        number, first_sequence, count, anchor = last
        parsed = parse_anchor(anchor)
        claims, named = parsed.claims, (journal_id, number, first_sequence, count)
        if (claims.journal, claims.batch, claims.first_sequence, claims.count) != named:
            raise JournalCorruptError(path, f"batch {number} contradicts its anchor")
        if not is_signed_by(parsed.envelope, parsed.envelope.payload or b"", signer.public_key):
            raise JournalCorruptError(path, f"the anchor of batch {number} is not signed by this gateway's key")
        first_open, next_batch, last_anchor_hash = first_sequence + count, number + 1, anchor_hash(anchor)
    return Loaded(
        journal_id=journal_id,
        first_open=first_open,
        next_batch=next_batch,
        last_anchor_hash=last_anchor_hash,
        ledger_seen=_ledger_seen(connection),
        counters=dict(connection.execute("SELECT id, counter FROM device")),
        passports=_passports(connection, path, journal_id, signer),
        recalls=_recalls(connection),
        open_events=_open_events(connection, path, journal_id, first_open, signer),
    )


def _open_events(
    connection: sqlite3.Connection, path: Path, journal_id: bytes, first: int, signer: Signer
) -> list[EventRow]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM event WHERE sequence >= ? ORDER BY sequence", (first,))  # noqa: S608 - ours
    events = []
    for expected, raw in enumerate(rows, first):
        row = EventRow(*raw)
        if row.sequence != expected:
            raise JournalCorruptError(path, f"event {expected} is missing")
        _event(path, row, journal_id, signer)
        events.append(row)
    return events


def _passports(connection: sqlite3.Connection, path: Path, journal_id: bytes, signer: Signer) -> dict[str, Passport]:
    """Each device's newest passport, of sealed batches as of the open one. Found by the index `event_passport`."""
    newest = "SELECT max(sequence) FROM event WHERE type = 'device.passport' GROUP BY device"
    passports = {}
    for raw in connection.execute(f"SELECT {_COLUMNS} FROM event WHERE sequence IN ({newest})"):  # noqa: S608 - ours
        event = _event(path, EventRow(*raw), journal_id, signer)
        passports[event.device] = Passport(event.sequence, encode_data(EVENT_TYPES[PASSPORT], event.data))
    return passports


def _event(path: Path, row: EventRow, journal_id: bytes, signer: Signer) -> Event:
    """The event in a row, in which it stands rightly and as it was signed. Raises JournalCorruptError, ProofError."""
    event, envelope = parse_event(row.statement), parse(row.statement)
    if (event.sequence, event.journal) != (row.sequence, journal_id):
        raise JournalCorruptError(path, f"event {row.sequence} is another's")
    if (event.device, event.type) != (row.device, row.type):
        raise JournalCorruptError(path, f"event {row.sequence} is altered")
    if not is_signed_by(envelope, envelope.payload or b"", signer.public_key):
        raise JournalCorruptError(path, f"event {row.sequence} is not signed by this gateway's key")
    return event


def _recalls(connection: sqlite3.Connection) -> dict[str, DeviceRecall]:
    recalls = {}
    for (device,) in connection.execute("SELECT DISTINCT device FROM recall").fetchall():
        recalls[device] = DeviceRecall()
        recalls[device].restore(
            connection.execute("SELECT batch, entries FROM recall WHERE device = ? ORDER BY batch DESC", (device,))
        )
    return recalls


def _ledger_seen(connection: sqlite3.Connection) -> LedgerHead | None:
    newest = connection.execute(
        "SELECT anchor, receipt FROM batch WHERE receipt IS NOT NULL ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if newest is None:
        return None
    anchor, receipt = newest
    return parse_receipt(receipt).head(anchor)
