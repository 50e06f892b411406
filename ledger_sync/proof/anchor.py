"""The anchor: a gateway's signature over the root of one batch, and at the same time each event's inner receipt.

An anchor is a COSE_Sign1 whose payload is the 32-byte root. With payload nil and an inclusion proof in its
unprotected header the same signature is a standard receipt (RFC 9942) for one event of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from .cose import IAT, ISS, SUB, UTC_US_MAX, Role, Sign1, is_issue_time, parse, parse_header, protected_header, sign1
from .errors import MalformedError
from .merkle import HASH_BYTES
from .names import JOURNAL_ID_BYTES, parse_issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SUBJECT = "batches"
JOURNAL, BATCH, PREVIOUS, COUNT, FIRST, TIMES, GAPS, LEDGER_SEEN = range(-65537, -65545, -1)
_REQUIRED = {ISS, SUB, IAT, JOURNAL, BATCH, COUNT, FIRST, TIMES, GAPS}
_OPTIONAL = {PREVIOUS, LEDGER_SEEN}


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """A head of the city ledger's log that a receipt proved: tree size, root, and when it was signed (UTC s)."""

    tree_size: int
    root: bytes
    issued_at: int


@dataclass(frozen=True, slots=True)
class AnchorClaims:
    """What an anchor says about its batch. Times in UTC µs, `issued_at` in UTC s.

    `previous` is the SHA-256 of the journal's previous anchor, None in batch 1. `gaps` counts its `gateway.gap`
    events. `ledger_seen` is the newest ledger head that the gateway had verified: the batch was signed after it.
    """

    issuer: str
    issued_at: int
    journal: bytes
    batch: int
    previous: bytes | None
    count: int
    first_sequence: int
    time_min_us: int
    time_max_us: int
    gaps: int
    ledger_seen: LedgerHead | None

    def as_map(self) -> dict[int, Any]:
        """The CWT claims, header label 15."""
        claims: dict[int, Any] = {
            ISS: self.issuer,
            SUB: SUBJECT,
            IAT: self.issued_at,
            JOURNAL: self.journal,
            BATCH: self.batch,
            COUNT: self.count,
            FIRST: self.first_sequence,
            TIMES: [self.time_min_us, self.time_max_us],
            GAPS: self.gaps,
        }
        if self.previous is not None:
            claims[PREVIOUS] = self.previous
        if self.ledger_seen is not None:
            seen = self.ledger_seen
            claims[LEDGER_SEEN] = [seen.tree_size, seen.root, seen.issued_at]
        return claims


@dataclass(frozen=True, slots=True)
class Anchor:
    """A parsed anchor; its signature is not checked yet. `city` and `gateway` are the parts of its issuer.

    `envelope` has the root as payload, or nil where this was read from an inner receipt.
    """

    envelope: Sign1
    kid: bytes
    city: str
    gateway: str
    claims: AnchorClaims


def make_anchor(claims: AnchorClaims, root: bytes, kid: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """The bytes of an anchor; `sign` gives the 64-byte signature of the bytes to be signed."""
    protected = protected_header(Role.ANCHOR, kid, claims.as_map())
    return sign1(protected, root, sign).encode()


def parse_anchor(data: bytes) -> Anchor:
    """The anchor in bytes, as it enters the log. Raises CborError or MalformedError."""
    envelope = parse(data)
    if envelope.unprotected or envelope.payload is None or len(envelope.payload) != HASH_BYTES:
        raise MalformedError("an anchor has a 32-byte root as payload and an empty unprotected header")
    return anchor_of(envelope)


def anchor_of(envelope: Sign1) -> Anchor:
    """The anchor that an envelope's protected header makes it. Raises CborError or MalformedError."""
    header = parse_header(envelope.protected, Role.ANCHOR)
    city, gateway = parse_issuer(header.iss)
    if header.sub != SUBJECT:
        raise MalformedError(f"an anchor's sub is {SUBJECT!r}")
    return Anchor(envelope, header.kid, city, gateway, _claims(header.iss, header.claims))


def _claims(issuer: str, claims: Mapping[int, Any]) -> AnchorClaims:
    if not claims.keys() >= _REQUIRED or claims.keys() - _REQUIRED - _OPTIONAL:
        raise MalformedError("an anchor has claims missing, or claims that it should not have")
    numbers = batch, count, first_sequence, gaps = [claims[key] for key in (BATCH, COUNT, FIRST, GAPS)]
    if any(type(one) is not int for one in numbers) or min(numbers[:3]) < 1 or not 0 <= gaps <= count:
        raise MalformedError("an anchor's batch, count, first sequence or gaps is no integer in range")
    if not is_issue_time(claims[IAT]):
        raise MalformedError("an anchor's iat is no time in UTC s")
    if (PREVIOUS not in claims) != (batch == 1):
        raise MalformedError("an anchor names its previous anchor, except in batch 1")
    _octets(claims[JOURNAL], JOURNAL_ID_BYTES, "journal id")
    previous = claims.get(PREVIOUS)
    if PREVIOUS in claims:
        _octets(previous, HASH_BYTES, "previous anchor")
    match claims[TIMES]:
        case [time_min_us, time_max_us] if (
            type(time_min_us) is type(time_max_us) is int and 0 <= time_min_us <= time_max_us <= UTC_US_MAX
        ):
            pass
        case _:
            raise MalformedError("an anchor's times are [smallest, largest] in UTC µs")
    return AnchorClaims(
        issuer=issuer,
        issued_at=claims[IAT],
        journal=claims[JOURNAL],
        batch=batch,
        previous=previous,
        count=count,
        first_sequence=first_sequence,
        time_min_us=time_min_us,
        time_max_us=time_max_us,
        gaps=gaps,
        ledger_seen=_ledger_seen(claims),
    )


def _octets(value: Any, size: int, what: str) -> None:
    if not isinstance(value, bytes) or len(value) != size:
        raise MalformedError(f"an anchor's {what} must be {size} bytes")


def _ledger_seen(claims: Mapping[int, Any]) -> LedgerHead | None:
    if LEDGER_SEEN not in claims:
        return None
    match claims[LEDGER_SEEN]:
        case [tree_size, bytes(root), issued_at] if (
            type(tree_size) is int and tree_size > 0 and len(root) == HASH_BYTES and is_issue_time(issued_at)
        ):
            return LedgerHead(tree_size, root, issued_at)
    raise MalformedError("an anchor's newest ledger receipt is [tree size, 32-byte root, iat]")


def anchor_hash(anchor: bytes) -> bytes:
    """What the next anchor of the journal, and a refusal, name an anchor by: SHA-256 of its bytes."""
    return sha256(anchor).digest()
