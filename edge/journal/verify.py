"""`journal verify`: every signature, sequence, root, link of the chain and receipt of a journal, from the first on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_sync.proof.anchor import Anchor, anchor_hash, parse_anchor
from ledger_sync.proof.cose import is_signed_by, parse
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event import parse_event
from ledger_sync.proof.merkle import Frontier, leaf_hash, root_of_inclusion
from ledger_sync.proof.receipt import parse_receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    for number, batch in enumerate(reader.batches(), 1):
        if (batch.number, batch.first_sequence) != (number, expected):
            raise JournalRefutedError(f"batch {number} is missing, or does not begin with event {expected}")
        anchor = _anchor(reader, batch, previous, gateway_key)
        tree = Frontier()
        for sequence, statement in reader.statements(batch.first_sequence, batch.count):
            _check_event(reader, sequence, expected, statement, gateway_key)
            tree.append(leaf_hash(statement))
            expected += 1
            if expected % 1000 == 0:
                progress(expected)
        if tree.size != batch.count or tree.root() != anchor.envelope.payload:
            raise JournalRefutedError(f"batch {number}: its {tree.size} events do not give the root that was anchored")
        if batch.receipt is not None:
            _check_receipt(batch, batch.receipt, ledgers)
            verdict.receipts += 1
        previous = anchor_hash(batch.anchor)
        verdict.batches += 1
    for sequence, statement in reader.statements(expected, 1 << 62):
        _check_event(reader, sequence, expected, statement, gateway_key)
        expected += 1
    verdict.events = expected - 1
    return verdict


def _anchor(reader: JournalReader, batch: Batch, previous: bytes | None, gateway_key: bytes) -> Anchor:
    try:
        anchor = parse_anchor(batch.anchor)
    except ProofError as error:
        raise JournalRefutedError(f"batch {batch.number}: its anchor {error}") from error
    claims = anchor.claims
    if (claims.journal, claims.batch, claims.first_sequence, claims.count) != (
        reader.id,
        batch.number,
        batch.first_sequence,
        batch.count,
    ):
        raise JournalRefutedError(f"batch {batch.number}: its row contradicts its anchor")
    if claims.previous != previous:
        raise JournalRefutedError(f"batch {batch.number}: its anchor does not name the one before it")
    if not is_signed_by(anchor.envelope, anchor.envelope.payload or b"", gateway_key):
        raise JournalRefutedError(f"batch {batch.number}: its anchor is not signed by this gateway's key")
    return anchor


def _check_event(reader: JournalReader, sequence: int, expected: int, statement: bytes, gateway_key: bytes) -> None:
    try:
        event, envelope = parse_event(statement), parse(statement)
    except ProofError as error:
        raise JournalRefutedError(f"event {sequence}: {error}") from error
    if sequence != expected or event.sequence != expected or event.journal != reader.id:
        raise JournalRefutedError(f"event {expected} is missing, or another stands in its place")
    if not is_signed_by(envelope, envelope.payload or b"", gateway_key):
        raise JournalRefutedError(f"event {sequence} is not signed by this gateway's key: something was altered")


def _check_receipt(batch: Batch, raw: bytes, ledgers: Sequence[LedgerKey]) -> None:
    try:
        receipt = parse_receipt(raw)
    except ProofError as error:
        raise JournalRefutedError(f"batch {batch.number}: its receipt {error}") from error
    proof = receipt.proof
    root = root_of_inclusion(leaf_hash(batch.anchor), proof.index, proof.tree_size, proof.path)
    keys = [key.public_key for key in ledgers if key.id == receipt.ledger]
    fits = root is not None and receipt.tree_size == proof.tree_size
    if not fits or not any(is_signed_by(receipt.envelope, root or b"", key) for key in keys):
        raise JournalRefutedError(
            f"batch {batch.number}: its receipt is not one of a [[ledger]] of the configuration for this anchor"
        )
