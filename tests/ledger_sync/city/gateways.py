"""Gateways that seal batches, a ledger's settings, and the checker of everything that a log must be."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from broker.topics import BatchAddress
from broker.url import BrokerSettings, BrokerUrl
from ledger_sync.city.ledger import Answer, Ledger, Submission
from ledger_sync.city.settings import LedgerSettings
from ledger_sync.proof.anchor import AnchorClaims, LedgerHead, anchor_hash, make_anchor, parse_anchor
from ledger_sync.proof.cose import Role, Sign1, is_signed_by, role_of
from ledger_sync.proof.cose import parse as parse_sign1
from ledger_sync.proof.keyfile import SecretKey
from ledger_sync.proof.merkle import EMPTY_ROOT, Frontier, leaf_hash, root_of_inclusion
from ledger_sync.proof.receipt import Receipt, Refusal, parse_receipt, parse_refusal
from ledger_sync.proof.trust import GatewayKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

CITY = "example.org"
LEDGER_KEY = SecretKey(sha256(b"ledger-1").digest())


def named_key(name: str) -> SecretKey:
    return SecretKey(sha256(name.encode()).digest())


class Gateway:
    """One journal of one gateway; `seal` gives its anchors one after another."""

    def __init__(self, name: str = "gw-1", journal: int = 1, key: SecretKey | None = None, city: str = CITY) -> None:
        self.name = name
        self.journal = journal.to_bytes(16, "big")
        self.key = key or named_key(name)
        self.city = city
        self.batch = 0
        self.next_sequence = 1
        self.previous: bytes | None = None

    def seal(self, count: int = 10, seen: LedgerHead | None = None, **changes: Any) -> Submission:
        """The next anchor; the journal has moved on afterwards."""
        submission = self.sealed(count=count, ledger_seen=seen, **changes)
        self.batch += 1
        self.next_sequence += count
        self.previous = anchor_hash(submission.anchor)
        return submission

    def sealed(
        self,
        root: bytes | None = None,
        sign: Callable[[bytes], bytes] | None = None,
        kid: bytes | None = None,
        **changes: Any,
    ) -> Submission:
        """What `seal` would give, with claims changed; the journal stays where it is."""
        claims = AnchorClaims(
            issuer=f"{self.city}/{self.name}",
            issued_at=1_800_000_000,
            journal=self.journal,
            batch=self.batch + 1,
            previous=self.previous,
            count=10,
            first_sequence=self.next_sequence,
            time_min_us=1_800_000_000_000_000,
            time_max_us=1_800_000_060_000_000,
            gaps=0,
            ledger_seen=None,
        )
        claims = replace(claims, **changes)
        root = root or sha256(self.journal + claims.batch.to_bytes(8, "big")).digest()
        anchor = make_anchor(claims, root, kid or self.key.kid, sign or self.key.sign)
        return Submission(BatchAddress(self.name, self.journal, claims.batch), anchor)

    @property
    def registered(self) -> GatewayKey:
        return GatewayKey(self.name, self.key.public_key)


def ledger_settings(directory: Path, *keys: GatewayKey, url: BrokerUrl | None = None) -> LedgerSettings:
    return LedgerSettings(CITY, "ledger-1", directory, BrokerSettings(url or BrokerUrl("127.0.0.1", 1883)), keys)


def open_ledger(directory: Path, *keys: GatewayKey) -> contextlib.closing[Ledger]:
    return contextlib.closing(Ledger(ledger_settings(directory, *keys), LEDGER_KEY))


def proven(answer: Answer, submission: Submission) -> Receipt:
    """The receipt in an answer, checked as a gateway would: role, proof, signed size, signature."""
    assert answer.address == submission.address
    receipt = parse_receipt(answer.payload)
    proof = receipt.proof
    root = root_of_inclusion(leaf_hash(submission.anchor), proof.index, proof.tree_size, proof.path)
    assert root is not None
    assert receipt.tree_size == proof.tree_size
    assert (receipt.city, receipt.ledger, receipt.shard) == (CITY, "ledger-1", "log-1")
    assert is_signed_by(receipt.envelope, root, LEDGER_KEY.public_key)
    return receipt


def refused(answer: Answer, submission: Submission) -> Refusal:
    """The refusal in an answer, checked as a gateway would: role, which anchor, signature."""
    assert answer.address == submission.address
    refusal = parse_refusal(answer.payload)
    assert refusal.anchor_hash == anchor_hash(submission.anchor)
    assert refusal.envelope.payload is not None
    assert is_signed_by(refusal.envelope, refusal.envelope.payload, LEDGER_KEY.public_key)
    return refusal


def is_receipt(answer: Answer) -> bool:
    return role_of(parse_sign1(answer.payload).protected) == Role.RECEIPT


def entries(path: Path) -> list[bytes]:
    """The anchors of a log, in order."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT anchor FROM entries ORDER BY entry")]


def check_log(path: Path) -> int:
    """Recompute a log from its entries and compare all that it stores; its size."""
    with contextlib.closing(sqlite3.connect(path)) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query).fetchall()

        assert rows("PRAGMA integrity_check") == [("ok",)]
        roots, frontier = {0: EMPTY_ROOT}, Frontier()
        log = rows("SELECT entry, nodes, anchor FROM entries ORDER BY entry")
        for expected, (entry, nodes, anchor) in enumerate(log):
            leaf = leaf_hash(anchor)
            assert entry == expected
            assert nodes == b"".join((leaf, *frontier.append(leaf)))
            roots[frontier.size] = frontier.root()
        heads = rows("SELECT tree_size, root, protected, signature FROM heads ORDER BY tree_size")
        assert [head[0] for head in heads[-1:]] == ([len(log)] if log else [])
        for size, root, protected, signature in heads:
            assert root == roots[size]
            assert is_signed_by(Sign1(protected, {}, None, signature), root, LEDGER_KEY.public_key)
        _check_chains([anchor for _, _, anchor in log], rows)
        return len(log)


def _check_chains(anchors: Sequence[bytes], rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    chains: dict[tuple[str, bytes], tuple[int, bytes | None, int]] = {}
    batches = set()
    for entry, data in enumerate(anchors):
        anchor = parse_anchor(data)
        claims = anchor.claims
        name = (anchor.gateway, claims.journal)
        batch, previous, sequence = chains.get(name, (0, None, 1))
        assert (claims.batch, claims.previous, claims.first_sequence) == (batch + 1, previous, sequence)
        chains[name] = (claims.batch, anchor_hash(data), sequence + claims.count)
        batches.add((*name, claims.batch, entry))
    stored = rows("SELECT gateway, journal, batch, anchor_hash, next_sequence FROM chains")
    assert {row[:2]: row[2:] for row in stored} == chains
    assert set(rows("SELECT gateway, journal, batches.batch, entry FROM batches JOIN chains USING (chain)")) == batches
    for entry, contradicting in rows("SELECT entry, anchor FROM contradictions JOIN batches USING (chain, batch)"):
        assert contradicting[:-64] != anchors[entry][:-64]
