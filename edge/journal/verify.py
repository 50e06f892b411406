"""`journal verify`: every signature, sequence, root, link of the chain and receipt of a journal, from the first on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.journal.reader import SEQUENCE_MAX
from ledger_sync.proof.anchor import Anchor, anchor_hash, parse_anchor
from ledger_sync.proof.cose import is_signed_by, parse
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.event_types import PASSPORT
from ledger_sync.proof.merkle import Frontier, leaf_hash
from ledger_sync.proof.receipt import parse_receipt, parse_refusal
from ledger_sync.proof.trust import is_answer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.journal.load import EventRow
    from edge.journal.reader import Batch, JournalReader
    from ledger_sync.proof.trust import LedgerKey


class JournalRefutedError(Exception):
    """Something in a journal does not verify; the message names the first that fails."""


@dataclass(slots=True)
class JournalVerdict:
    """What was verified."""

    events: int = 0
    batches: int = 0
    receipts: int = 0


@dataclass(slots=True)
class _Device:
    """A device's last counter so far, and the sequence of its passport in force."""

    counter: int = 0
    passport: int | None = None


def verify_journal(
    reader: JournalReader,
    gateway_key: bytes,
    ledgers: Sequence[LedgerKey],
    progress: Callable[[int], None] = lambda _: None,
) -> JournalVerdict:
    """Verify a whole journal; `progress` is told the sequence now and then. Raises JournalRefutedError."""
    verdict = JournalVerdict()
    previous: bytes | None = None
    expected = 1
    devices: dict[str, _Device] = {}
    for number, batch in enumerate(reader.batches(), 1):
        if (batch.number, batch.first_sequence) != (number, expected):
            raise JournalRefutedError(f"batch {number} is missing, or does not begin with event {expected}")
        anchor = _anchor(reader, batch, previous, gateway_key)
        tree = Frontier()
        for row in reader.rows(batch.first_sequence, batch.count):
            _check_event(reader, row, expected, devices, gateway_key)
            tree.append(leaf_hash(row.statement))
            expected += 1
            if expected % 1000 == 0:
                progress(expected)
        if tree.size != batch.count or tree.root() != anchor.envelope.payload:
            raise JournalRefutedError(f"batch {number}: its {tree.size} events do not give the root that was anchored")
        if batch.refusal is not None:
            _check_refusal(batch, batch.refusal, anchor.city, ledgers)
        if batch.receipt is not None:
            _check_receipt(batch, batch.receipt, anchor.city, ledgers)
            verdict.receipts += 1
        previous = anchor_hash(batch.anchor)
        verdict.batches += 1
    if reader.device_counters() != {name: device.counter for name, device in devices.items()}:
        raise JournalRefutedError("the device table's counters are not those of the sealed events")
    for row in reader.rows(expected, SEQUENCE_MAX):
        _check_event(reader, row, expected, devices, gateway_key)
        expected += 1
    verdict.events = expected - 1
    return verdict


def _anchor(reader: JournalReader, batch: Batch, previous: bytes | None, gateway_key: bytes) -> Anchor:
    try:
        anchor = parse_anchor(batch.anchor)
    except ProofError as error:
        raise JournalRefutedError(f"batch {batch.number}: its anchor {error}") from error
    claims = anchor.claims
    sealed_s = batch.sealed_us // 1_000_000
    named = (reader.id, batch.number, batch.first_sequence, batch.count, sealed_s)
    if (claims.journal, claims.batch, claims.first_sequence, claims.count, claims.issued_at) != named:
        raise JournalRefutedError(f"batch {batch.number}: its row contradicts its anchor")
    if claims.previous != previous:
        raise JournalRefutedError(f"batch {batch.number}: its anchor does not name the one before it")
    if not is_signed_by(anchor.envelope, anchor.envelope.payload or b"", gateway_key):
        raise JournalRefutedError(f"batch {batch.number}: its anchor is not signed by this gateway's key")
    return anchor


def _check_event(
    reader: JournalReader, row: EventRow, expected: int, devices: dict[str, _Device], gateway_key: bytes
) -> None:
    """One event at its place; `devices` is moved on by it."""
    try:
        event, envelope = parse_event(row.statement), parse(row.statement)
    except ProofError as error:
        raise JournalRefutedError(f"event {row.sequence}: {error}") from error
    if row.sequence != expected or event.sequence != expected or event.journal != reader.id:
        raise JournalRefutedError(f"event {expected} is missing, or another stands in its place")
    if not is_signed_by(envelope, envelope.payload or b"", gateway_key):
        raise JournalRefutedError(f"event {expected} is not signed by this gateway's key: something was altered")
    if (row.device, row.type, row.utc_us) != (event.device, event.type, event.stamp.utc_us):
        raise JournalRefutedError(f"event {expected}: its row's device, type or time is not what was signed")
    device = devices.setdefault(event.device, _Device())
    device.counter += 1
    if event.device_counter != device.counter:
        raise JournalRefutedError(
            f"event {expected}: is number {device.counter} of {event.device}, but says {event.device_counter}"
        )
    is_passport = event.type == PASSPORT
    if event.passport != (None if is_passport else device.passport):
        raise JournalRefutedError(
            f"event {expected}: names {event.passport} as the passport of {event.device}, which is {device.passport}"
        )
    if is_passport:
        device.passport = expected


def _check_refusal(batch: Batch, raw: bytes, city: str, ledgers: Sequence[LedgerKey]) -> None:
    try:
        refusal = parse_refusal(raw)
    except ProofError as error:
        raise JournalRefutedError(f"batch {batch.number}: its refusal {error}") from error
    by_ledger = is_answer_of(refusal, refusal.envelope.payload or b"", city, ledgers)
    if refusal.anchor_hash != anchor_hash(batch.anchor) or not by_ledger:
        raise JournalRefutedError(
            f"batch {batch.number}: its refusal is not one of a [[ledger]] of the configuration for this anchor"
        )


def _check_receipt(batch: Batch, raw: bytes, city: str, ledgers: Sequence[LedgerKey]) -> None:
    try:
        receipt = parse_receipt(raw)
    except ProofError as error:
        raise JournalRefutedError(f"batch {batch.number}: its receipt {error}") from error
    head = receipt.head(batch.anchor)
    if head is None or not is_answer_of(receipt, head.root, city, ledgers):
        raise JournalRefutedError(
            f"batch {batch.number}: its receipt is not one of a [[ledger]] of the configuration for this anchor"
        )
