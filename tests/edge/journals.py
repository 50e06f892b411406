"""A gateway's journal and a ledger for it, in a few lines, for the tests of `edge`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from edge.journal.files import ensure_born
from edge.journal.recall import recall_entry
from edge.journal.writer import JournalWriter as _JournalWriter
from edge.journal.writer import KeepAnswer, NewEvent, Seal
from edge.signer import FileSigner
from ledger_sync.proof.anchor import LedgerHead, anchor_hash
from ledger_sync.proof.event import ClockState, Stamp, encode_data
from ledger_sync.proof.event_types import PASSPORT, event_type
from ledger_sync.proof.keyfile import SecretKey
from ledger_sync.proof.merkle import Tree, leaf_hash
from ledger_sync.proof.receipt import RefusalReason, make_refusal, proof_of, sign_root
from ledger_sync.proof.trust import GatewayKey, LedgerKey, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CITY, GATEWAY, LEDGER = "demo", "gw-1", "ledger-1"
GATEWAY_KEY = SecretKey(sha256(b"the gateway's").digest())
LEDGER_KEY = SecretKey(sha256(b"the ledger's").digest())
OTHER_KEY = SecretKey(sha256(b"somebody else's").digest())
SIGNER = FileSigner(CITY, GATEWAY, GATEWAY_KEY)
LEDGERS = (LedgerKey(LEDGER, LEDGER_KEY.public_key),)
TRUST = Trust(CITY, (GatewayKey(GATEWAY, GATEWAY_KEY.public_key),), LEDGERS)
UTC_US = 1_767_225_600_000_000
STAMP = Stamp(UTC_US, bytes(16), 1_000_000, ClockState(2, 1500, "kernel", authenticated=False))


def new_event(
    device: str = "gate-1", number: int = 0, reading_id: str | None = None, data: Mapping[str, Any] | None = None
) -> NewEvent:
    """A tap at `number` seconds after the start; `reading_id` is the device's own id of it."""
    row = event_type("fare.tap")
    raw = encode_data(row, data or {"direction": "in", "token": f"token-{number:x}"})
    stamp = Stamp(UTC_US + number * 1_000_000, STAMP.boot_id, STAMP.boottime_us + number, STAMP.clock)
    recall = None if reading_id is None else recall_entry(reading_id, row.name, raw)
    return NewEvent(device, row, raw, 0, stamp, recall)


def passport(device: str, data: Mapping[str, Any]) -> NewEvent:
    """What the configuration says of a device."""
    row = event_type(PASSPORT)
    return NewEvent(device, row, encode_data(row, data), 0, STAMP, None)


def open_journal(data_dir: Path, count_max: int = 10_000, signer: FileSigner = SIGNER) -> closing[_JournalWriter]:
    """The writer of the current journal, made if there is none, for a `with` block."""
    return closing(_JournalWriter(ensure_born(data_dir, CITY, GATEWAY), signer, count_max))


class Ledger:
    """A ledger in memory that registers whatever it gets."""

    def __init__(self, key: SecretKey = LEDGER_KEY, name: str = LEDGER, city: str = CITY) -> None:
        self._key, self._name, self._city = key, name, city
        self._leaves: list[bytes] = []

    def register(self, anchor: bytes) -> tuple[bytes, LedgerHead]:
        """The receipt of an anchor, and the head that it proves."""
        self._leaves.append(leaf_hash(anchor))
        tree = Tree(self._leaves)
        index, issued_at = tree.size - 1, UTC_US // 1_000_000 + tree.size
        signed = sign_root(
            self._city, self._name, "log-1", tree.size, issued_at, tree.root(), self._key.kid, self._key.sign
        )
        receipt = signed.receipt(proof_of(index, tree.size, tree.inclusion_path(index)))
        return receipt, LedgerHead(tree.size, tree.root(), issued_at)

    def refuse(self, anchor: bytes) -> bytes:
        """A signed refusal of an anchor."""
        claims = {1: f"{self._city}/{self._name}", 2: "log-1", 6: UTC_US // 1_000_000}
        reason = RefusalReason.BROKEN_CHAIN
        return make_refusal(claims, anchor_hash(anchor), reason, "it is broken", self._key.kid, self._key.sign)


def anchors(path: Path) -> dict[int, bytes]:
    """The anchors of a journal by batch."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT number, anchor FROM batch"))


def receipted_journal(data_dir: Path, batches: int = 3, count: int = 4, receipts: int | None = None) -> Path:
    """A journal of `batches` sealed batches of `count` taps each and one open event; the first `receipts` have one."""
    with open_journal(data_dir, count) as journal:
        journal.commit([new_event(number=number, reading_id=f"id-{number}") for number in range(batches * count)])
        ledger = Ledger()
        for batch, anchor in sorted(anchors(journal.path).items())[: batches if receipts is None else receipts]:
            journal.commit([KeepAnswer(batch, *ledger.register(anchor))])
        journal.commit([new_event(number=batches * count)])
        return journal.path


def alter(path: Path, change: str, *parameters: object) -> None:
    """Change a journal behind its owner's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change, parameters)


def flipped(data: bytes, place: int) -> bytes:
    """`data` with one bit changed."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


SEAL = Seal()


def fail_once(journal: _JournalWriter, statement: str, *, has_landed: bool) -> list[str]:
    """Have SQLite refuse this statement at its next use, done nevertheless if `has_landed`; gives what was refused."""
    real: Any = journal._connection
    refused: list[str] = []

    class Failing:
        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

        def execute(self, given: str, *parameters: object) -> object:
            if given == statement and not refused:
                refused.append(given)
                if has_landed:
                    real.execute(given)
                raise sqlite3.OperationalError("database is locked")
            return real.execute(given, *parameters)

    journal._connection = Failing()  # type: ignore[assignment]
    return refused
