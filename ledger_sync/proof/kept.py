"""The acknowledgement of an authority: it has stored a statement, and the evidence that the statement names, durably.

Whoever holds it may delete their own copy; so nothing less than the authority's signature counts, and what is signed
names both by their digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from . import cbor
from .cose import (
    IAT,
    ISS,
    SUB,
    Role,
    Sign1,
    is_issue_time,
    is_signed_by,
    key_id,
    parse,
    parse_header,
    protected_header,
    sign1,
)
from .errors import MalformedError
from .merkle import HASH_BYTES
from .names import issuer, parse_issuer

if TYPE_CHECKING:
    from .keyfile import SecretKey

SUBJECT = "evidence"
KEPT_BYTES_MAX = 512


@dataclass(frozen=True, slots=True)
class Kept:
    """A parsed acknowledgement; its signature is not checked yet. `issued_at` in UTC s."""

    envelope: Sign1
    kid: bytes
    city: str
    authority: str
    issued_at: int
    statement_sha256: bytes
    evidence_sha256: bytes


def make_kept(city: str, authority: str, issued_at: int, statement: bytes, manifest: bytes, key: SecretKey) -> bytes:
    """The acknowledgement of a statement and of the evidence whose manifest it names, at `issued_at` (UTC s)."""
    claims = {ISS: issuer(city, authority), SUB: SUBJECT, IAT: issued_at}
    payload = cbor.encode({1: sha256(statement).digest(), 2: sha256(manifest).digest()})
    return sign1(protected_header(Role.KEPT, key.kid, claims), payload, key.sign).encode()


def parse_kept(data: bytes) -> Kept:
    """The acknowledgement in bytes. Raises CborError or MalformedError."""
    envelope = parse(data)
    header = parse_header(envelope.protected, Role.KEPT)
    city, authority = parse_issuer(header.iss)
    issued_at = header.claims.get(IAT)
    if header.claims.keys() != {ISS, SUB, IAT} or header.sub != SUBJECT or not is_issue_time(issued_at):
        raise MalformedError(f"an acknowledgement has the claims iss, sub ({SUBJECT!r}) and iat, and no others")
    if envelope.unprotected or envelope.payload is None:
        raise MalformedError("an acknowledgement has its payload attached and nothing unprotected")
    match payload := cbor.decode(envelope.payload):
        case {1: bytes(statement), 2: bytes(evidence)} if (
            len(payload) == 2 and len(statement) == len(evidence) == HASH_BYTES  # noqa: PLR2004 - the two
        ):
            return Kept(envelope, header.kid, city, authority, issued_at, statement, evidence)
    raise MalformedError("an acknowledgement's payload is {1: 32 bytes, 2: 32 bytes}")


def is_kept_by(kept: Kept, statement: bytes, manifest: bytes, city: str, authority: str, public_key: bytes) -> bool:
    """Whether the holder of `public_key` says, as that authority, that it has this statement and this evidence."""
    return (
        (kept.city, kept.authority) == (city, authority)
        and kept.kid == key_id(public_key)
        and kept.statement_sha256 == sha256(statement).digest()
        and kept.evidence_sha256 == sha256(manifest).digest()
        and is_signed_by(kept.envelope, kept.envelope.payload or b"", public_key)
    )
