"""Receipts (RFC 9942): an inclusion proof with the signature over the root that it leads to; and the signed refusal."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import cbor
from .anchor import LedgerHead
from .cose import (
    IAT,
    INCLUSION_PROOFS,
    ISS,
    SUB,
    VDP,
    Role,
    Sign1,
    is_issue_time,
    parse,
    parse_header,
    protected_header,
    sign1,
)
from .errors import MalformedError
from .merkle import HASH_BYTES, leaf_hash, root_of_inclusion
from .names import issuer, parse_issuer, shard_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TREE_SIZE = -65545


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Leaf `index` in a tree of `tree_size`, with the siblings from the leaf up. The size is not authenticated here."""

    tree_size: int
    index: int
    path: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The bstr content of RFC 9942: [tree size, leaf index, [siblings]]."""
        return cbor.encode([self.tree_size, self.index, list(self.path)])

    def as_vdp(self) -> dict[int, Any]:
        """The value of header 396."""
        return {INCLUSION_PROOFS: [self.encode()]}


def parse_vdp(vdp: Any) -> InclusionProof:
    """The one inclusion proof in header 396. Raises CborError or MalformedError."""
    match vdp:
        case {-1: [bytes(raw)]} if len(vdp) == 1:
            pass
        case _:
            raise MalformedError("a receipt carries exactly one inclusion proof and nothing else in header 396")
    match cbor.decode(raw):
        case [int(tree_size), int(index), list(path)] if (
            type(tree_size) is int
            and type(index) is int
            and 0 <= index < tree_size
            and all(isinstance(one, bytes) and len(one) == HASH_BYTES for one in path)
        ):
            return InclusionProof(tree_size, index, tuple(path))
    raise MalformedError("an inclusion proof is [tree size, leaf index, [32-byte siblings]]")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A ledger's receipt; its signature and proof are not checked yet. `issued_at` in UTC s."""

    envelope: Sign1
    kid: bytes
    city: str
    ledger: str
    shard: str
    issued_at: int
    tree_size: int
    proof: InclusionProof

    def head(self, anchor: bytes) -> LedgerHead | None:
        """The head of the log that an anchor and the proof lead to; None when the proof fits no log of that size.

        It is the ledger's once the signature over its root is checked.
        """
        proof = self.proof
        root = root_of_inclusion(leaf_hash(anchor), proof.index, proof.tree_size, proof.path)
        if root is None or self.tree_size != proof.tree_size:
            return None
        return LedgerHead(self.tree_size, root, self.issued_at)


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """A ledger's signature over one root of its log: the part that every receipt of one group shares."""

    protected: bytes
    root: bytes
    signature: bytes

    def receipt(self, proof: InclusionProof) -> bytes:
        """The receipt of one entry under this root."""
        return Sign1(self.protected, {VDP: proof.as_vdp()}, None, self.signature).encode()


def sign_root(
    city: str,
    ledger: str,
    shard: str,
    tree_size: int,
    issued_at: int,
    root: bytes,
    kid: bytes,
    sign: Callable[[bytes], bytes],
) -> SignedRoot:
    """Sign the root of a log of `tree_size` entries at `issued_at` (UTC s)."""
    claims = {ISS: issuer(city, ledger), SUB: shard, IAT: issued_at, TREE_SIZE: tree_size}
    envelope = sign1(protected_header(Role.RECEIPT, kid, claims), root, sign)
    return SignedRoot(envelope.protected, root, envelope.signature)


def parse_receipt(data: bytes) -> Receipt:
    """The ledger receipt in bytes. Raises CborError or MalformedError."""
    envelope = parse(data)
    header = parse_header(envelope.protected, Role.RECEIPT)
    city, ledger = parse_issuer(header.iss)
    if envelope.unprotected.keys() != {VDP} or envelope.payload is not None:
        raise MalformedError("a ledger receipt has a detached payload and only header 396 unprotected")
    issued_at, tree_size = header.claims.get(IAT), header.claims.get(TREE_SIZE)
    if header.claims.keys() != {ISS, SUB, IAT, TREE_SIZE} or not is_issue_time(issued_at) or type(tree_size) is not int:
        raise MalformedError("a ledger receipt has the claims iss, sub, iat and tree size, and no others")
    if problem := shard_problem(header.sub):
        raise MalformedError(f"a ledger receipt's sub, the log shard's name, {problem}")
    proof = parse_vdp(envelope.unprotected[VDP])
    return Receipt(envelope, header.kid, city, ledger, header.sub, issued_at, tree_size, proof)


class RefusalReason(enum.StrEnum):
    """Why a ledger does not register an anchor."""

    UNKNOWN_KEY = "unknown-key"
    KEY_REVOKED = "key-revoked"
    KEY_OUT_OF_RANGE = "key-out-of-range"
    BAD_SIGNATURE = "bad-signature"
    OTHER_CITY = "other-city"
    CONTRADICTION = "contradiction"
    BROKEN_CHAIN = "broken-chain"
    UNKNOWN_LEDGER_HEAD = "unknown-ledger-head"
    MALFORMED = "malformed"


_REFUSAL_REASONS = frozenset(RefusalReason)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A ledger's signed refusal of one anchor (named by `anchor_hash`); the signature is not checked yet."""

    envelope: Sign1
    kid: bytes
    city: str
    ledger: str
    issued_at: int
    anchor_hash: bytes
    reason: RefusalReason
    sentence: str


def make_refusal(
    claims: Mapping[int, Any],
    anchor_hash: bytes,
    reason: RefusalReason,
    sentence: str,
    kid: bytes,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """A refusal's bytes: payload {1: SHA-256 of the anchor, 2: reason, 3: a sentence for its operator}."""
    payload = cbor.encode({1: anchor_hash, 2: reason.value, 3: sentence})
    return sign1(protected_header(Role.REFUSAL, kid, claims), payload, sign).encode()


def parse_refusal(data: bytes) -> Refusal:
    """The refusal in bytes. Raises CborError or MalformedError."""
    envelope = parse(data)
    header = parse_header(envelope.protected, Role.REFUSAL)
    city, ledger = parse_issuer(header.iss)
    issued_at = header.claims.get(IAT)
    if header.claims.keys() != {ISS, SUB, IAT} or not is_issue_time(issued_at):
        raise MalformedError("a refusal has the claims iss, sub and iat, and no others")
    if envelope.unprotected or envelope.payload is None:
        raise MalformedError("a refusal has its payload attached and nothing unprotected")
    match payload := cbor.decode(envelope.payload):
        case {1: bytes(name), 2: str(reason), 3: str(sentence)} if (
            len(payload) == 3 and len(name) == HASH_BYTES and reason in _REFUSAL_REASONS  # noqa: PLR2004 - the three
        ):
            return Refusal(envelope, header.kid, city, ledger, issued_at, name, RefusalReason(reason), sentence)
    raise MalformedError("a refusal's payload is {1: 32 bytes, 2: reason, 3: sentence}")


def proof_of(index: int, tree_size: int, path: Sequence[bytes]) -> InclusionProof:
    """An inclusion proof from a path as `merkle.inclusion_path` gives it."""
    return InclusionProof(tree_size, index, tuple(path))
