"""The city ledger without its network: groups of anchors in, receipts and refusals out, all durable first."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger_sync.proof.cose import IAT, ISS, SUB, Role, Sign1, is_signed_by, parse_header
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.merkle import inclusion_path
from ledger_sync.proof.names import issuer
from ledger_sync.proof.receipt import make_refusal, proof_of, sign_root

from .chains import Chains
from .errors import LogError
from .log import SHARD, Head, Log, storage_errors
from .outcomes import Refused
from .parking import Parking
from .receipts import group_receipts
from .registration import STRANGERS, KeyRing, Registration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from broker.topics import BatchAddress
    from ledger_sync.proof.keyfile import SecretKey

    from .outcomes import Registered
    from .settings import LedgerSettings

STRANGER_REFUSALS_MAX = 32
"""Refusals signed a group for reasons that anybody can cause; the rest are counted only."""


@dataclass(frozen=True, slots=True)
class Submission:
    """An anchor's bytes as they arrived for the batch at `address`."""

    address: BatchAddress
    anchor: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A receipt or a signed refusal for the batch at `address`."""

    address: BatchAddress
    payload: bytes


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What became of a group: the answers, and counts. `head` is the log's newest head, if it has any."""

    answers: list[Answer]
    head: Head | None
    registered: int
    repeated: int
    refused: int
    parked: int


def no_step(_name: str) -> None:
    """What a fault test replaces: called at each crash point with its name."""


@dataclass(slots=True)
class _Group:
    """The receipts of one group: those of its new entries, and the way to those of older ones."""

    first: int
    receipts: list[bytes] = field(default_factory=list)


class Ledger:
    """The log, its policy and its key. Of one thread.

    Raises StorageError or LogError on opening and from `register`; after either, close it and open another.
    """

    def __init__(self, settings: LedgerSettings, key: SecretKey, step: Callable[[str], None] = no_step) -> None:
        self._settings = settings
        self._key = key
        self._step = step
        self._ring = KeyRing(settings.city, settings.gateway)
        self._parking = Parking()
        self._log = Log(settings.log_path)
        self._chains = Chains(self._log.connection)
        try:
            self._require_own_log()
        except LogError:
            self._log.close()
            raise

    def _require_own_log(self) -> None:
        """A log goes on only under the name and key that its newest head was signed with."""
        head = self._log.head
        if head is None:
            return
        signed = head.signed
        try:
            signer = parse_header(signed.protected, Role.RECEIPT).iss
        except ProofError as error:
            raise LogError(f"{self._log.path}: the newest head {error}; restore a backup") from error
        envelope = Sign1(signed.protected, {}, None, signed.signature)
        own = issuer(self._settings.city, self._settings.id)
        if signer != own or not is_signed_by(envelope, signed.root, self._key.public_key):
            raise LogError(
                f"{self._log.path}: its newest head is signed by another key or name ({signer}) than this ledger's"
                f" ({own}, key {self._key.fingerprint[:16]}); restore the key, or name another data_dir"
            )

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def register(self, group: Sequence[Submission]) -> GroupResult:
        """Register a group in one transaction and sign one root over it; everything in the answers is durable."""
        now_s = int(time.time())
        with storage_errors(self._log.path):
            with self._log.transaction():
                registration = Registration(self._ring, self._log, self._chains, self._parking)
                for submission in group:
                    registration.submit(submission.address, submission.anchor)
                new = self._append(registration.anchors, now_s)
                registration.record(now_s)
                # A crash here leaves the log as it was, and nothing was said: the gateways send again.
                self._step("ledger.before-commit")
            # A crash from here on leaves the log grown: the gateways send again and get the same places.
            self._step("ledger.after-commit")
            answers = self._answers(registration.outcomes, new, now_s)
        refused = sum(isinstance(outcome, Refused) for _, outcome in registration.outcomes)
        return GroupResult(
            answers,
            self._log.head,
            registered=len(new.receipts),
            repeated=len(registration.outcomes) - refused - len(new.receipts),
            refused=refused,
            parked=len(self._parking),
        )

    def _append(self, anchors: Sequence[bytes], now_s: int) -> _Group:
        first = self._log.size
        if not anchors:
            return _Group(first)
        growth = self._log.append(anchors)
        signed = sign_root(
            self._settings.city,
            self._settings.id,
            SHARD,
            growth.size,
            now_s,
            growth.root,
            self._key.kid,
            self._key.sign,
        )
        self._log.add_head(Head(growth.size, now_s, signed))
        return _Group(first, group_receipts(signed, growth))

    def _answers(
        self, outcomes: Sequence[tuple[BatchAddress, Registered | Refused]], new: _Group, now_s: int
    ) -> list[Answer]:
        answers = []
        strangers = 0
        node = functools.cache(self._log.node)
        for address, outcome in outcomes:
            if isinstance(outcome, Refused):
                strangers += outcome.reason in STRANGERS
                if outcome.reason not in STRANGERS or strangers <= STRANGER_REFUSALS_MAX:
                    answers.append(Answer(address, self._refusal(outcome, now_s)))
            elif outcome.entry >= new.first:
                answers.append(Answer(address, new.receipts[outcome.entry - new.first]))
            else:
                answers.append(Answer(address, self._receipt(outcome.entry, node)))
        return answers

    def _receipt(self, entry: int, node: Callable[[int, int], bytes]) -> bytes:
        """The receipt of an old entry under the newest head: nothing is signed again."""
        head = self._log.head
        assert head is not None, "a log with entries has a head"
        path = inclusion_path(entry, head.tree_size, node)
        return head.signed.receipt(proof_of(entry, head.tree_size, path))

    def _refusal(self, refused: Refused, now_s: int) -> bytes:
        claims = {ISS: issuer(self._settings.city, self._settings.id), SUB: SHARD, IAT: now_s}
        return make_refusal(
            claims, refused.anchor_hash, refused.reason, refused.sentence, self._key.kid, self._key.sign
        )
