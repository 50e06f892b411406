"""The transparent statement: event, inner receipt and ledger receipt in one file (`.cose`).

event   COSE_Sign1, unprotected {394: [inner receipt]}
inner   the anchor with payload nil, unprotected {394: [ledger receipt], 396: proof of the event in the batch}
ledger  unprotected {396: proof of the anchor in the log}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .anchor import Anchor, anchor_of
from .cose import RECEIPTS, VDP, Sign1, parse
from .errors import MalformedError
from .event import Event, event_of
from .merkle import leaf_hash, root_of_inclusion
from .receipt import InclusionProof, Receipt, parse_receipt, parse_vdp

TRANSPARENT_BYTES_MAX = 65_536


def assemble(statement: bytes, anchor: bytes, proof: InclusionProof, ledger_receipt: bytes) -> bytes:
    """The transparent statement of an event. Raises CborError or MalformedError for parts that are no envelopes."""
    unprotected = {RECEIPTS: [ledger_receipt], VDP: proof.as_vdp()}
    inner = replace(parse(anchor), payload=None, unprotected=unprotected)
    return replace(parse(statement), unprotected={RECEIPTS: [inner.encode()]}).encode()


@dataclass(frozen=True, slots=True)
class TransparentStatement:
    """A parsed transparent statement; nothing of it is verified but its structure.

    `batch_proof` places the event in the batch; `anchor` is the inner receipt's header, its root still unknown.
    """

    event: Event
    envelope: Sign1
    anchor: Anchor
    batch_proof: InclusionProof
    receipt: Receipt

    def root(self) -> bytes | None:
        """The batch root that the event and its proof lead to; None when the proof's length is wrong."""
        leaf = leaf_hash(self.envelope.bare().encode())
        return root_of_inclusion(leaf, self.batch_proof.index, self.batch_proof.tree_size, self.batch_proof.path)


def parse_transparent(data: bytes) -> TransparentStatement:
    """The parts of a transparent statement. Raises CborError or MalformedError."""
    envelope = parse(data)
    if envelope.unprotected.keys() != {RECEIPTS}:
        raise MalformedError("a transparent statement has exactly header 394 unprotected; is it a bare event?")
    inner = parse(_one(envelope.unprotected[RECEIPTS]))
    if inner.unprotected.keys() != {RECEIPTS, VDP} or inner.payload is not None:
        raise MalformedError("an inner receipt has a detached payload and exactly headers 394 and 396 unprotected")
    receipt = parse_receipt(_one(inner.unprotected[RECEIPTS]))
    batch_proof = parse_vdp(inner.unprotected[VDP])
    return TransparentStatement(event_of(envelope), envelope, anchor_of(inner), batch_proof, receipt)


def _one(receipts: Any) -> bytes:
    match receipts:
        case [bytes(receipt)]:
            return receipt
    raise MalformedError("header 394 holds exactly one receipt, as a byte string")
