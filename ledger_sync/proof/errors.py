"""What a proof can fail with.

ProofError                 something is wrong with a proof, a statement or a receipt
├── CborError              bytes that are not strict deterministic CBOR (offset)
├── MalformedError         CBOR, but not the structure that its role prescribes
│   └── RoleError          signed for another role
├── SchemaError            event data that its type does not allow (field)
└── RefusedError           a check of `verify` failed (reason)

UnreadableError (OSError)  a proof's file could not be read: nothing is said about its content
"""

from __future__ import annotations

import enum


class ProofError(Exception):
    """Something is wrong with a proof, a statement or a receipt. The message is one sentence."""


class CborError(ProofError):
    """Bytes that are not strict deterministic CBOR; `offset` is where that shows."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message} (at byte {offset})")
        self.offset = offset


class MalformedError(ProofError):
    """CBOR, but not the structure that its role prescribes."""


class RoleError(MalformedError):
    """Signed for another role (typ) than the one that it is used in."""


class SchemaError(ProofError):
    """Event data that its type does not allow; `field` is the path of the field, or empty."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class Reason(enum.StrEnum):
    """Why `verify` refuses, in the order of its checks. The values are part of the interface (FORMAT.md)."""

    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    WRONG_ROLE = "wrong-role"
    ISSUER_MISMATCH = "issuer-mismatch"
    KEY_MISMATCH = "key-mismatch"
    OTHER_CITY = "other-city"
    UNTRUSTED_GATEWAY = "untrusted-gateway"
    JOURNAL_MISMATCH = "journal-mismatch"
    SEQUENCE_MISMATCH = "sequence-mismatch"
    COUNT_MISMATCH = "count-mismatch"
    INCLUSION = "inclusion"
    EVENT_SIGNATURE = "event-signature"
    ANCHOR_SIGNATURE = "anchor-signature"
    UNTRUSTED_LEDGER = "untrusted-ledger"
    TREE_SIZE_MISMATCH = "tree-size-mismatch"
    LEDGER_INCLUSION = "ledger-inclusion"
    LEDGER_SIGNATURE = "ledger-signature"
    KEY_REVOKED = "key-revoked"
    KEY_OUT_OF_RANGE = "key-out-of-range"
    PASSPORT_MISMATCH = "passport-mismatch"


class UnreadableError(OSError):
    """A proof's file could not be read. The message names the file and says why."""


class RefusedError(ProofError):
    """A check of `verify` failed: `reason` says which, the message says what was found."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
