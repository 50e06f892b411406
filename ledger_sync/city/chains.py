"""What the ledger remembers of each gateway's journals, in the log's database: chains, batches, misbehaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from .outcomes import Refused


@dataclass(slots=True)
class Chain:
    """The chain of one journal's anchors up to `batch`: what the next one has to continue.

    Before batch 1: no `chain` number yet, batch 0, no hash, and the first sequence 1.
    """

    gateway: str
    journal: bytes
    chain: int | None = None
    batch: int = 0
    anchor_hash: bytes | None = None
    next_sequence: int = 1


class Chains:
    """The tables beside the log's entries; writes belong into the log's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, gateway: str, journal: bytes) -> Chain:
        """The chain of a journal; a new one when there is none."""
        row = self._connection.execute(
            "SELECT chain, batch, anchor_hash, next_sequence FROM chains WHERE gateway = ? AND journal = ?",
            (gateway, journal),
        ).fetchone()
        return Chain(gateway, journal) if row is None else Chain(gateway, journal, *row)

    def save(self, changed: Iterable[Chain]) -> None:
        """Write chains as they are now; a new one gets its number here."""
        for chain in changed:
            values = (chain.batch, chain.anchor_hash, chain.next_sequence)
            if chain.chain is None:
                chain.chain = self._connection.execute(
                    "INSERT INTO chains (gateway, journal, batch, anchor_hash, next_sequence) VALUES (?, ?, ?, ?, ?)",
                    (chain.gateway, chain.journal, *values),
                ).lastrowid
            else:
                self._connection.execute(
                    "UPDATE chains SET batch = ?, anchor_hash = ?, next_sequence = ? WHERE chain = ?",
                    (*values, chain.chain),
                )

    def add_batches(self, rows: Sequence[tuple[int | None, int, int]]) -> None:
        """Note (chain, batch, entry) of newly registered batches."""
        # In the order of the table, so that a group touches each of its pages once.
        self._connection.executemany("INSERT INTO batches (chain, batch, entry) VALUES (?, ?, ?)", sorted(rows))

    def entry_of(self, chain: Chain, batch: int) -> int:
        """The log index of a batch that `chain` has."""
        row = self._connection.execute(
            "SELECT entry FROM batches WHERE chain = ? AND batch = ?", (chain.chain, batch)
        ).fetchone()
        return int(row[0])

    def add_contradiction(self, chain: Chain, batch: int, anchor: bytes, refused_at: int) -> None:
        """Keep the first anchor that contradicts the registered one of a batch: with it, proof of misbehaviour."""
        self._connection.execute(
            "INSERT OR IGNORE INTO contradictions (chain, batch, anchor, refused_at) VALUES (?, ?, ?, ?)",
            (chain.chain, batch, anchor, refused_at),
        )

    def count_refusals(self, refused: Iterable[tuple[str, Refused]], refused_at: int) -> None:
        """Count refusals by gateway ("" for one that is not known) and reason; the newest case is kept."""
        self._connection.executemany(
            "INSERT INTO refusals (gateway, reason, count, anchor_hash, sentence, refused_at) VALUES (?, ?, 1, ?, ?, ?)"
            " ON CONFLICT (gateway, reason) DO UPDATE SET count = count + 1, anchor_hash = excluded.anchor_hash,"
            " sentence = excluded.sentence, refused_at = excluded.refused_at",
            [(gateway, one.reason.value, one.anchor_hash, one.sentence, refused_at) for gateway, one in refused],
        )
