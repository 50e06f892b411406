"""Verification of one transparent statement, offline: the ordered checks of DESIGN 4, one typed reason each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .cose import is_signed_by
from .errors import CborError, MalformedError, Reason, RefusedError, RoleError, UnreadableError
from .event_types import PASSPORT
from .transparent import TRANSPARENT_BYTES_MAX, TransparentStatement, parse_transparent
from .trust import key_problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .anchor import LedgerHead
    from .event import Stamp
    from .trust import GatewayKey, Trust


@dataclass(frozen=True, slots=True)
class Proven:
    """What a transparent statement proves, once `verify` has returned it.

    `stamp` is the gateway's claim. That the event existed is certain from `logged_by` (UTC s, the ledger's clock) on;
    that its batch was signed after `ledger_seen` was issued, if the gateway had seen a receipt by then.
    """

    city: str
    gateway: str
    device: str
    journal: bytes
    sequence: int
    device_counter: int
    type: str
    version: int
    data: Mapping[str, Any]
    origin: int
    evidence: tuple[bytes, ...]
    passport: int | None
    stamp: Stamp
    batch: int
    batch_count: int
    ledger: str
    shard: str
    entry: int
    tree_size: int
    logged_by: int
    ledger_seen: LedgerHead | None


def verify_file(path: Path, trust: Trust) -> Proven:
    """What the transparent statement in a file proves under `trust`; reads at most 64 KiB and a byte of it.

    Raises RefusedError with the first reason, or UnreadableError where there was nothing to judge.
    """
    if path.is_fifo():  # to open it would wait for somebody to write
        raise UnreadableError(f"{path}: is a pipe; name a .cose file")
    try:
        with path.open("rb") as file:
            data = file.read(TRANSPARENT_BYTES_MAX + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read ({error.strerror}); name a .cose file") from error
    return verify(data, trust)


def verify(data: bytes, trust: Trust) -> Proven:
    """What `data`, a transparent statement, proves under `trust`. Raises RefusedError with the first reason."""
    if len(data) > TRANSPARENT_BYTES_MAX:
        raise RefusedError(Reason.TOO_LARGE, f"is over {TRANSPARENT_BYTES_MAX} bytes; no transparent statement is")
    if not data:
        raise RefusedError(Reason.MALFORMED, "is empty")
    try:
        statement = parse_transparent(data)
    except RoleError as error:
        raise RefusedError(Reason.WRONG_ROLE, str(error)) from error
    except (CborError, MalformedError) as error:
        raise RefusedError(Reason.MALFORMED, str(error)) from error
    keys = _check_identity(statement, trust)
    public_key, root = _check_batch(statement, keys)
    _check_ledger(statement, trust, root)
    claims = statement.anchor.claims
    tables = [key for key in keys if key.public_key == public_key]
    if problem := key_problem(tables, claims.journal, claims.batch, statement.receipt.proof.index):
        raise RefusedError(*problem)
    return _proven(statement)


def check_passport(proven: Proven, passport: Proven) -> None:
    """`passport` proves the passport that `proven` names. Raises RefusedError where it proves something else."""
    if proven.passport is None:
        raise RefusedError(Reason.PASSPORT_MISMATCH, "the event names no passport")
    wanted = (proven.city, proven.gateway, proven.journal, proven.device, proven.passport)
    found = (passport.city, passport.gateway, passport.journal, passport.device, passport.sequence)
    if found != wanted or passport.type != PASSPORT:
        raise RefusedError(
            Reason.PASSPORT_MISMATCH,
            f"its passport is event {proven.passport} of the same gateway, journal and device; this is event "
            f"{passport.sequence} of {passport.device}, a {passport.type}",
        )


def _check_identity(statement: TransparentStatement, trust: Trust) -> tuple[GatewayKey, ...]:
    """One gateway, one key, one journal, one place in the batch; returns the trusted keys that may have signed."""
    event, anchor = statement.event, statement.anchor
    claims, proof = anchor.claims, statement.batch_proof
    if (event.city, event.gateway) != (anchor.city, anchor.gateway):
        found = f"{event.city}/{event.gateway}, its anchor by {anchor.city}/{anchor.gateway}"
        raise RefusedError(Reason.ISSUER_MISMATCH, f"the event is signed by {found}")
    if event.kid != anchor.kid:
        raise RefusedError(Reason.KEY_MISMATCH, "the event and its anchor are signed with different keys")
    if event.city != trust.city:
        raise RefusedError(Reason.OTHER_CITY, f"is from the city {event.city!r}; the trust file is {trust.city!r}'s")
    keys = trust.gateway_keys(event.gateway, event.kid)
    if not keys:
        raise RefusedError(
            Reason.UNTRUSTED_GATEWAY, f"the key {event.kid.hex()} of gateway {event.gateway!r} is not in the trust file"
        )
    if event.journal != claims.journal:
        raise RefusedError(Reason.JOURNAL_MISMATCH, "the event and its anchor belong to different journals")
    if proof.index != event.sequence - claims.first_sequence:
        place = f"place {proof.index} of a batch that begins with {claims.first_sequence}"
        raise RefusedError(Reason.SEQUENCE_MISMATCH, f"sequence {event.sequence} cannot stand at {place}")
    if claims.count != proof.tree_size:
        raise RefusedError(
            Reason.COUNT_MISMATCH, f"the anchor counts {claims.count} events, the proof {proof.tree_size}"
        )
    return keys


def _check_batch(statement: TransparentStatement, keys: tuple[GatewayKey, ...]) -> tuple[bytes, bytes]:
    """The event is in the batch and both are signed by one trusted key; returns that key and the batch's root."""
    root = statement.root()
    if root is None:
        raise RefusedError(Reason.INCLUSION, "the proof of the event in the batch does not fit the batch's size")
    envelope = statement.envelope
    payload = envelope.payload or b""
    for public_key in {key.public_key for key in keys}:
        if is_signed_by(envelope, payload, public_key):
            if is_signed_by(statement.anchor.envelope, root, public_key):
                return public_key, root
            raise RefusedError(
                Reason.ANCHOR_SIGNATURE, "the gateway did not sign a batch that has this event at this place"
            )
    raise RefusedError(Reason.EVENT_SIGNATURE, "the event's signature is not the gateway's: something was altered")


def _check_ledger(statement: TransparentStatement, trust: Trust, root: bytes) -> None:
    """The anchor is in the log of a trusted ledger of the same city."""
    receipt, proof = statement.receipt, statement.receipt.proof
    keys = trust.ledger_keys(receipt.ledger, receipt.kid) if receipt.city == trust.city else ()
    if not keys:
        raise RefusedError(
            Reason.UNTRUSTED_LEDGER,
            f"the key {receipt.kid.hex()} of ledger {receipt.city}/{receipt.ledger} is not in the trust file",
        )
    if receipt.tree_size != proof.tree_size:
        raise RefusedError(
            Reason.TREE_SIZE_MISMATCH,
            f"the ledger signed a log of {receipt.tree_size}, the proof has {proof.tree_size}",
        )
    head = receipt.head(statement.anchor.envelope.bare(root).encode())
    if head is None:
        raise RefusedError(Reason.LEDGER_INCLUSION, "the proof of the anchor in the log does not fit the log's size")
    if not any(is_signed_by(receipt.envelope, head.root, key.public_key) for key in keys):
        raise RefusedError(Reason.LEDGER_SIGNATURE, "the ledger did not sign a log that has this anchor at this place")


def _proven(statement: TransparentStatement) -> Proven:
    event, claims, receipt = statement.event, statement.anchor.claims, statement.receipt
    return Proven(
        city=event.city,
        gateway=event.gateway,
        device=event.device,
        journal=event.journal,
        sequence=event.sequence,
        device_counter=event.device_counter,
        type=event.type,
        version=event.version,
        data=event.data,
        origin=event.origin,
        evidence=event.evidence,
        passport=event.passport,
        stamp=event.stamp,
        batch=claims.batch,
        batch_count=claims.count,
        ledger=receipt.ledger,
        shard=receipt.shard,
        entry=receipt.proof.index,
        tree_size=receipt.tree_size,
        logged_by=receipt.issued_at,
        ledger_seen=claims.ledger_seen,
    )
