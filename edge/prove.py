"""From journal rows to transparent statements: what `prove` and `export` hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.journal.errors import JournalCorruptError
from ledger_sync.proof.cose import parse
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.event import event_of
from ledger_sync.proof.merkle import Tree, leaf_hash
from ledger_sync.proof.receipt import proof_of
from ledger_sync.proof.transparent import assemble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.journal.reader import Batch, JournalReader


class NotProvableError(Exception):
    """There is no such event, or no receipt for it yet. The message says which, and what to do."""


def prove(reader: JournalReader, sequence: int) -> bytes:
    """The transparent statement of one event. Raises NotProvableError, JournalCorruptError."""
    statement = reader.statement(sequence)
    if statement is None:
        raise NotProvableError(
            f"journal {reader.id.hex()} has no event {sequence}; `wayside journal events` lists them"
        )
    batch = reader.batch_of(sequence)
    if batch is None or batch.receipt is None:
        state = batch.state if batch else "open"
        raise NotProvableError(
            f"event {sequence} has no receipt yet (its batch is {state}); `wayside journal events` shows when it has"
        )
    reader.check_batch(batch)
    leaves = [leaf_hash(one) for _, one in reader.statements(batch.first_sequence, batch.count)]
    return _transparent(reader, batch, Tree(leaves), sequence, statement)


class ProvenPassport(NamedTuple):
    """The transparent statement of a passport, and its sequence."""

    sequence: int
    statement: bytes


def prove_passport(reader: JournalReader, statement: bytes) -> ProvenPassport | None:
    """The passport that a transparent statement of the same journal names; None if it names none.

    Raises NotProvableError, JournalCorruptError.
    """
    event = event_of(parse(statement))
    if event.passport is None:
        return None
    try:
        return ProvenPassport(event.passport, prove(reader, event.passport))
    except NotProvableError as error:
        raise NotProvableError(f"event {event.sequence} names its device's passport, but {error}") from error


def prove_batch(reader: JournalReader, batch: Batch) -> Iterator[tuple[int, bytes]]:
    """(sequence, transparent statement) of each event of a receipted batch. Raises JournalCorruptError."""
    reader.check_batch(batch)
    tree = Tree([leaf_hash(one) for _, one in reader.statements(batch.first_sequence, batch.count)])
    for sequence, statement in reader.statements(batch.first_sequence, batch.count):
        yield sequence, _transparent(reader, batch, tree, sequence, statement)


def _transparent(reader: JournalReader, batch: Batch, tree: Tree, sequence: int, statement: bytes) -> bytes:
    index = sequence - batch.first_sequence
    proof = proof_of(index, tree.size, tree.inclusion_path(index))
    try:
        return assemble(statement, batch.anchor, proof, batch.receipt or b"")
    except ProofError as error:
        raise JournalCorruptError(reader.path, f"event {sequence} of batch {batch.number} {error}") from error
