"""What gateway and authority say of a piece of evidence, beside its sealed bytes (FORMAT.md, "Upload").

Deterministic CBOR with integer keys. The offer proves itself, by the event's signature over the manifest's digest. The
answer is not signed: it asks for bytes or says why none are taken, and nothing is deleted because of it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_sync.proof import cbor
from ledger_sync.proof.errors import MalformedError
from ledger_sync.proof.merkle import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

OFFER_BYTES_MAX = 8192
ANSWER_BYTES_MAX = 512
CHUNK_BYTES_MAX = 65_536
"""The largest message that a session takes."""


class Refusal(enum.StrEnum):
    """Why an authority takes no evidence."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown-key"
    BAD_SIGNATURE = "bad-signature"
    OTHER_EVIDENCE = "other-evidence"
    CONTRADICTION = "contradiction"
    NOT_OPENABLE = "not-openable"
    BUSY = "busy"
    FULL = "full"
    DISK = "disk"


_REFUSALS = frozenset(Refusal)


@dataclass(frozen=True, slots=True)
class Offer:
    """An event's statement, and the manifest of its evidence, in bytes."""

    statement: bytes
    manifest: bytes

    def encode(self) -> bytes:
        """The message."""
        return cbor.encode({1: self.statement, 2: self.manifest})


@dataclass(frozen=True, slots=True)
class Answer:
    """To the offer of a manifest with this SHA-256: bytes that are there of each object, or why none are taken."""

    manifest_sha256: bytes
    received: Mapping[str, int] | None = None
    refusal: Refusal | None = None

    def encode(self) -> bytes:
        """The message."""
        told = {3: self.refusal.value} if self.refusal else {2: dict(self.received or {})}
        return cbor.encode({1: self.manifest_sha256, **told})


def parse_offer(raw: bytes) -> Offer:
    """The offer in a message. Raises CborError or MalformedError; nothing in it is checked yet."""
    if len(raw) > OFFER_BYTES_MAX:
        raise MalformedError(f"an offer of {len(raw)} bytes; at most {OFFER_BYTES_MAX} are read")
    match fields := cbor.decode(raw):
        case {1: bytes(statement), 2: bytes(manifest)} if len(fields) == 2:  # noqa: PLR2004 - the two
            return Offer(statement, manifest)
    raise MalformedError("an offer is {1: statement, 2: manifest}")


def parse_answer(raw: bytes) -> Answer:
    """The answer in a message. Raises CborError or MalformedError."""
    if len(raw) > ANSWER_BYTES_MAX:
        raise MalformedError(f"an answer of {len(raw)} bytes; at most {ANSWER_BYTES_MAX} are read")
    match fields := cbor.decode(raw):
        case {1: bytes(digest), 2: dict(received)} if len(fields) == 2 and len(digest) == HASH_BYTES:  # noqa: PLR2004
            if all(isinstance(name, str) and type(size) is int and size >= 0 for name, size in received.items()):
                return Answer(digest, received)
        case {1: bytes(digest), 3: str(refusal)} if (
            len(fields) == 2 and len(digest) == HASH_BYTES and refusal in _REFUSALS  # noqa: PLR2004 - the two
        ):
            return Answer(digest, refusal=Refusal(refusal))
    raise MalformedError("an answer is {1: 32 bytes, 2: {object: bytes received}} or {1: 32 bytes, 3: reason}")
