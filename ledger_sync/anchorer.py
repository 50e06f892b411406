"""The anchorer: sealed batches to the ledger, receipts back. The rows of the journal are its state.

It publishes every batch that has no receipt: at start, on each reconnect, and again after 5 s, doubling to 60 s. The
broker's PUBACK frees nothing; only the ledger's signed answer does. What it remembers about an attempt may be lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from broker.publication import SessionError
from broker.topics import ANCHOR, RECEIPT, BatchAddress, batch_topic, parse_batch_topic
from ledger_sync.proof.anchor import anchor_hash
from ledger_sync.proof.cose import Role, parse, role_of
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.receipt import parse_receipt, parse_refusal
from ledger_sync.proof.trust import is_answer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from broker.connection import Message
    from broker.session import Session
    from ledger_sync.proof.anchor import LedgerHead
    from ledger_sync.proof.receipt import Receipt, Refusal
    from ledger_sync.proof.trust import LedgerKey

log = logging.getLogger("wayside.anchorer")

WINDOW = 64
RESEND_FIRST_S = 5.0
RESEND_MAX_S = 60.0
REFUSED_RESEND_S = 600.0


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A sealed batch without a receipt. `refused` tells that the ledger refused it before."""

    batch: int
    anchor: bytes
    refused: bool


class AnchorStore(Protocol):
    """The journal as the anchorer sees it. Idempotent; called from one task at a time per method.

    The keep methods are durable on return.
    """

    journal_id: bytes

    async def waiting(self, limit: int) -> Sequence[WaitingBatch]:
        """The oldest batches without a receipt, those not refused first."""

    async def check(self, batch: int) -> None:
        """Hash the batch's events again; raises the journal's own error if they are not what was anchored."""

    async def anchor(self, batch: int) -> bytes | None:
        """The anchor of a sealed batch that has no receipt yet; None for any other."""

    async def keep_receipt(self, batch: int, receipt: bytes, head: LedgerHead) -> None:
        """Keep a verified receipt and the ledger head that it proves."""

    async def keep_refusal(self, batch: int, refusal: bytes) -> None:
        """Keep a signed refusal."""

    async def wait_sealed(self) -> None:
        """Return when a batch may have been sealed since the last call."""


@dataclass(slots=True)
class _Attempt:
    connection: int
    due: float
    delay_s: float


@dataclass(slots=True)
class AnchorerCounters:
    """What the anchorer has seen since the start; read by health. Times are UTC seconds."""

    published: int = 0
    receipts: int = 0
    refusals: int = 0
    answers_ignored: int = 0
    answers_repeated: int = 0
    last_anchor_at: float | None = None
    last_receipt_at: float | None = None


class Anchorer:
    """Anchors one journal. `run` publishes; `receive` takes what the ledger answers."""

    def __init__(
        self, session: Session, store: AnchorStore, city: str, gateway: str, ledgers: Sequence[LedgerKey]
    ) -> None:
        self.journal_id = store.journal_id
        self._session = session
        self._store = store
        self._city = city
        self._gateway = gateway
        self._ledgers = ledgers
        self._attempts: dict[int, _Attempt] = {}
        self._checked: set[int] = set()
        self._answered = asyncio.Event()
        self.counters = AnchorerCounters()

    async def run(self) -> None:
        """Publish whatever waits, for ever. Raises what `AnchorStore.check` raises."""
        while True:
            connection = await self._session.wait_connected()
            await self.publish_waiting(connection)
            await self._wait(connection)

    async def publish_waiting(self, connection: int) -> None:
        """Publish each batch without a receipt that is due, over the session's current connection, once."""
        waiting = await self._store.waiting(WINDOW)
        self._forget_others(waiting)
        now = time.monotonic()
        due = [batch for batch in waiting if self._is_due(batch, connection, now)]
        async with asyncio.TaskGroup() as publishing:
            for batch in due:
                publishing.create_task(self._publish(batch, connection))

    def _forget_others(self, waiting: Sequence[WaitingBatch]) -> None:
        kept = {batch.batch for batch in waiting}
        self._attempts = {batch: attempt for batch, attempt in self._attempts.items() if batch in kept}
        self._checked &= kept

    def _is_due(self, batch: WaitingBatch, connection: int, now: float) -> bool:
        attempt = self._attempts.get(batch.batch)
        return attempt is None or attempt.connection != connection or attempt.due <= now

    async def _publish(self, waiting: WaitingBatch, connection: int) -> None:
        batch = waiting.batch
        if batch not in self._checked:
            await self._store.check(batch)
            self._checked.add(batch)
        previous = self._attempts.get(batch)
        if waiting.refused:
            delay_s = REFUSED_RESEND_S
        elif previous is None or previous.connection != connection:
            delay_s = RESEND_FIRST_S
        else:
            delay_s = min(2 * previous.delay_s, RESEND_MAX_S)
        self._attempts[batch] = _Attempt(connection, time.monotonic() + _jittered(delay_s), delay_s)
        address = BatchAddress(self._gateway, self._store.journal_id, batch)
        try:
            await self._session.publish(ANCHOR.publication(batch_topic(ANCHOR, self._city, address), waiting.anchor))
        except SessionError as error:
            # Outcome unknown, or the broker would not take it: it is due again like any other without a receipt.
            log.debug("not published", extra={"batch": batch, "error": str(error)})
            return
        self.counters.published += 1
        self.counters.last_anchor_at = time.time()

    async def _wait(self, connection: int) -> None:
        """Until a batch is sealed or answered, one is due again, or the connection is gone."""
        due = min((attempt.due for attempt in self._attempts.values()), default=time.monotonic() + RESEND_MAX_S)
        events = (
            asyncio.create_task(self._store.wait_sealed()),
            asyncio.create_task(self._answered.wait()),
            asyncio.create_task(self._session.wait_disconnected(connection)),
        )
        try:
            timeout_s = max(0.05, due - time.monotonic())
            await asyncio.wait(events, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()
            await asyncio.gather(*events, return_exceptions=True)
        self._answered.clear()

    async def receive(self, message: Message) -> None:
        """Take a message of the ledger; acknowledged to the broker once what it says is durable or worthless."""
        address = parse_batch_topic(RECEIPT, self._city, message.topic)
        if address is None or address.gateway != self._gateway or address.journal != self._store.journal_id:
            self._ignore(message, "it is not about this journal")
        else:
            try:
                await self._receive(address.batch, message.payload)
            except ProofError as error:
                self._ignore(message, str(error))
        message.acknowledge()

    async def _receive(self, batch: int, payload: bytes) -> None:
        anchor = await self._store.anchor(batch)
        if anchor is None:
            # A batch that went out twice is answered twice; what is kept stays.
            self.counters.answers_repeated += 1
            return
        if role_of(parse(payload).protected) == Role.REFUSAL:
            await self._keep_refusal(batch, anchor, payload)
        else:
            head = self._verified_head(anchor, parse_receipt(payload))
            await self._store.keep_receipt(batch, payload, head)
            self.counters.receipts += 1
            self.counters.last_receipt_at = time.time()
        self._answered.set()

    async def _keep_refusal(self, batch: int, anchor: bytes, payload: bytes) -> None:
        refusal = parse_refusal(payload)
        if refusal.anchor_hash != anchor_hash(anchor):
            raise ProofError("the refusal is about another anchor")
        self._require_ledger(refusal, refusal.envelope.payload or b"")
        await self._store.keep_refusal(batch, payload)
        self.counters.refusals += 1
        attempt = self._attempts.get(batch)
        if attempt is not None:
            attempt.due = time.monotonic() + _jittered(REFUSED_RESEND_S)
        reason = {"batch": batch, "reason": refusal.reason.value, "sentence": refusal.sentence}
        log.error("ledger refused a batch", extra=reason)

    def _verified_head(self, anchor: bytes, receipt: Receipt) -> LedgerHead:
        head = receipt.head(anchor)
        if head is None:
            raise ProofError("the receipt's proof does not fit the log's size")
        self._require_ledger(receipt, head.root)
        return head

    def _require_ledger(self, answer: Receipt | Refusal, payload: bytes) -> None:
        if not is_answer_of(answer, payload, self._city, self._ledgers):
            says = f"{answer.city}/{answer.ledger}, key {answer.kid.hex()}"
            raise ProofError(f"it is not signed by a [[ledger]] of the configuration (it says {says})")

    def _ignore(self, message: Message, why: str) -> None:
        if not self.counters.answers_ignored:
            log.warning("an answer that proves nothing was ignored", extra={"topic": message.topic, "why": why})
        self.counters.answers_ignored += 1


def _jittered(delay_s: float) -> float:
    return delay_s * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
