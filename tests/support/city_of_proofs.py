"""A whole signed city in a few lines: one gateway's batch in one ledger's log, and the proof of one event in it.

`build()` gives a transparent statement that verifies under `TRUST`. Every field of `Plan` can be replaced, and any
label, claim or payload field overridden or left out (`ABSENT`): what comes out is always properly signed, so that a
test shows which check refuses it. Keys come from fixed seeds; nothing here reads a clock or a random source.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from ledger_sync.proof import cbor, cose, merkle
from ledger_sync.proof.receipt import InclusionProof
from ledger_sync.proof.transparent import assemble
from ledger_sync.proof.trust import GatewayKey, LedgerKey, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping


class Absent(enum.Enum):
    """Its one member reads the same in every process, as the names of tests must."""

    ABSENT = enum.auto()


ABSENT = Absent.ABSENT
"""As an override: leave this label, claim or field out."""

JOURNAL = bytes(range(16))
BOOT_ID = bytes(range(16, 32))
UTC_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
SEEN_S = 1_767_225_590
ANCHORED_S = 1_767_225_660
LOGGED_S = 1_767_225_661

METER_READING: dict[str, Any] = {
    "meter_id": "4B384547303034303436333935353037",
    "meter_time": "260101010000W",
    "integrity": "crc",
    "registers": [
        {"obis": "1-0:1.8.1", "value": Decimal("12345.670"), "unit": "kWh"},
        {"obis": "1-0:2.8.1", "value": Decimal("0.000"), "unit": "kWh"},
    ],
}


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 key pair; its seed is the SHA-256 of a name."""

    public: bytes
    secret: bytes

    @classmethod
    def named(cls, name: str) -> Key:
        """The key of that name, always the same."""
        return cls(*crypto_sign_seed_keypair(sha256(name.encode()).digest()))

    @property
    def kid(self) -> bytes:
        """The first 8 bytes of its thumbprint."""
        return cose.key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature."""
        signed: bytes = crypto_sign(message, self.secret)
        return signed[: cose.SIGNATURE_BYTES]


GATEWAY_KEY = Key.named("gateway")
OTHER_KEY = Key.named("somebody else")
LEDGER_KEY = Key.named("ledger")

TRUST = Trust("demo", (GatewayKey("gw-1", GATEWAY_KEY.public),), (LedgerKey("ledger-1", LEDGER_KEY.public),))


def overridden(values: Mapping[Any, Any], overrides: Mapping[Any, Any]) -> dict[Any, Any]:
    """`values` with `overrides` put over them; what is ABSENT is left out."""
    return {key: value for key, value in {**values, **overrides}.items() if value is not ABSENT}


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes into one transparent statement: the leaf `place` of a batch of `count`, entry `entry` of a log."""

    city: str = "demo"
    gateway: str = "gw-1"
    ledger: str = "ledger-1"
    gateway_key: Key = GATEWAY_KEY
    ledger_key: Key = LEDGER_KEY
    place: int = 2
    count: int = 5
    entry: int = 3
    log_size: int = 7
    # Overrides: of protected labels, of claims (label 15), of payload fields.
    event_key: Key | None = None
    event_labels: Mapping[Any, Any] = field(default_factory=dict)
    event_claims: Mapping[Any, Any] = field(default_factory=dict)
    event_fields: Mapping[Any, Any] = field(default_factory=dict)
    anchor_labels: Mapping[Any, Any] = field(default_factory=dict)
    anchor_claims: Mapping[Any, Any] = field(default_factory=dict)
    receipt_labels: Mapping[Any, Any] = field(default_factory=dict)
    receipt_claims: Mapping[Any, Any] = field(default_factory=dict)

    def event_payload(self) -> dict[Any, Any]:
        """The payload's fields (DESIGN 4)."""
        fields = {
            1: 100 + self.place,
            2: JOURNAL,
            3: 77,
            4: UTC_US,
            5: BOOT_ID,
            6: 123_456_789,
            7: {1: 2, 2: 1500, 3: "ntp", 4: True},
            8: "meter.reading",
            9: 1,
            10: METER_READING,
            13: 1,
        }
        return overridden(fields, self.event_fields)

    def event(self) -> bytes:
        """The statement."""
        key = self.event_key or self.gateway_key
        labels = {1: -8, 3: 60, 16: "wayside-event+cose"}
        claims = {1: f"{self.city}/{self.gateway}", 2: "meter-1"}
        protected = header(key, labels, self.event_labels, claims, self.event_claims)
        return cose.sign1(protected, cbor.encode(self.event_payload()), key.sign).encode()

    def anchor(self, root: bytes) -> bytes:
        """The anchor over a batch's root."""
        claims = {
            1: f"{self.city}/{self.gateway}",
            2: "batches",
            6: ANCHORED_S,
            -65537: JOURNAL,
            -65538: 4,
            -65539: sha256(b"the anchor before").digest(),
            -65540: self.count,
            -65541: 100,
            -65542: [UTC_US - 1_000_000, UTC_US + 1_000_000],
            -65543: 0,
            -65544: [3, sha256(b"the log before").digest(), SEEN_S],
        }
        labels = {1: -8, 16: "wayside-anchor+cose", 395: 1}
        protected = header(self.gateway_key, labels, self.anchor_labels, claims, self.anchor_claims)
        return cose.sign1(protected, root, self.gateway_key.sign).encode()

    def signed_log_root(self, root: bytes) -> cose.Sign1:
        """The ledger's signature over its log's root."""
        claims = {1: f"{self.city}/{self.ledger}", 2: "log-1", 6: LOGGED_S, -65545: self.log_size}
        labels = {1: -8, 16: "wayside-receipt+cose", 395: 1}
        protected = header(self.ledger_key, labels, self.receipt_labels, claims, self.receipt_claims)
        return cose.sign1(protected, root, self.ledger_key.sign)


def header(
    key: Key,
    labels: Mapping[Any, Any],
    label_overrides: Mapping[Any, Any],
    claims: Mapping[Any, Any],
    claim_overrides: Mapping[Any, Any],
) -> bytes:
    """A protected header's bytes, with whatever is to be wrong about it."""
    return cbor.encode(overridden({**labels, 4: key.kid, 15: overridden(claims, claim_overrides)}, label_overrides))


@dataclass(frozen=True, slots=True)
class Built:
    """The parts of one proof, all of them bytes that were emitted."""

    statement: bytes
    anchor: bytes
    batch_proof: InclusionProof
    receipt: bytes

    @property
    def inner(self) -> bytes:
        """The inner receipt, as it stands in the transparent statement: it carries the ledger receipt."""
        inner: bytes = cose.parse(self.transparent).unprotected[cose.RECEIPTS][0]
        return inner

    @property
    def transparent(self) -> bytes:
        """The transparent statement."""
        return assemble(self.statement, self.anchor, self.batch_proof, self.receipt)


def other_leaf(index: int) -> bytes:
    """The hash of some other leaf."""
    return merkle.leaf_hash(b"another entry, number %d" % index)


def path_in(leaf: bytes, index: int, size: int) -> InclusionProof:
    """The proof of `leaf` at `index` among `size` leaves. Above 2**16 the siblings are made up, as nobody can tell."""
    if size > 1 << 16:
        length = (size - 1).bit_length()  # of the longest path there can be, that of leaf 0
        assert index == 0, "made-up siblings are for the longest path"
        return InclusionProof(size, index, tuple(other_leaf(level) for level in range(length)))
    leaves = [other_leaf(one) for one in range(size)]
    leaves[index] = leaf
    return InclusionProof(size, index, tuple(merkle.Tree(leaves).inclusion_path(index)))


def root_over(leaf: bytes, proof: InclusionProof) -> bytes:
    """The root that a proof leads to; fails for one that leads nowhere."""
    root = merkle.root_of_inclusion(leaf, proof.index, proof.tree_size, proof.path)
    assert root is not None
    return root


def build(plan: Plan = Plan(), **changes: Any) -> Built:
    """The proof that `plan`, with `changes` to its fields, describes."""
    plan = replace(plan, **changes)
    return prove(plan.event(), plan)


def prove(statement: bytes, plan: Plan = Plan()) -> Built:
    """The proof of any bytes as a statement: a gateway and a ledger that sign whatever they get."""
    leaf = merkle.leaf_hash(statement)
    batch_proof = path_in(leaf, plan.place, plan.count)
    anchor = plan.anchor(root_over(leaf, batch_proof))
    entry = merkle.leaf_hash(anchor)
    log_proof = path_in(entry, plan.entry, plan.log_size)
    signed = plan.signed_log_root(root_over(entry, log_proof))
    receipt = replace(signed, payload=None, unprotected={cose.VDP: log_proof.as_vdp()}).encode()
    return Built(statement, anchor, batch_proof, receipt)
