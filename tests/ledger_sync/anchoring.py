"""An `AnchorStore` in memory, a ledger's answers, and an anchorer with a ledger's session at a real broker."""

from __future__ import annotations

import asyncio
import contextlib
from hashlib import sha256
from typing import TYPE_CHECKING

from broker.session import Session
from broker.topics import ANCHOR, RECEIPT, BatchAddress, batch_filter, batch_topic, parse_batch_topic
from ledger_sync.anchorer import Anchorer, WaitingBatch
from ledger_sync.proof.anchor import AnchorClaims, LedgerHead, anchor_hash, make_anchor
from ledger_sync.proof.keyfile import SecretKey
from ledger_sync.proof.merkle import Tree, leaf_hash
from ledger_sync.proof.receipt import RefusalReason, make_refusal, proof_of, sign_root
from ledger_sync.proof.trust import LedgerKey
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tests.support.brokers import BrokerProcess

CITY, GATEWAY, LEDGER = "demo", "gw-1", "ledger-1"
JOURNAL = bytes(range(16))
GATEWAY_KEY = SecretKey(sha256(b"the gateway's").digest())
LEDGER_KEY = SecretKey(sha256(b"the ledger's").digest())
OTHER_KEY = SecretKey(sha256(b"somebody else's").digest())
LEDGERS = (LedgerKey(LEDGER, LEDGER_KEY.public_key),)
NOW_S = 1_767_225_600
DEADLINE_S = 20.0


def make(batch: int) -> bytes:
    """The anchor of a batch of one event."""
    previous = sha256(bytes([batch - 1])).digest() if batch > 1 else None
    claims = AnchorClaims(
        f"{CITY}/{GATEWAY}", NOW_S, JOURNAL, batch, previous, 1, batch, NOW_S * 10**6, NOW_S * 10**6, 0, None
    )
    return make_anchor(claims, sha256(bytes([batch])).digest(), GATEWAY_KEY.kid, GATEWAY_KEY.sign)


class MemoryStore:
    """An `AnchorStore` in memory. `on_check` and `on_keep` may raise or wait."""

    def __init__(self, batches: int = 0) -> None:
        self.journal_id = JOURNAL
        self.anchors: dict[int, bytes] = {}
        self.receipts: dict[int, tuple[bytes, LedgerHead]] = {}
        self.refusals: dict[int, bytes] = {}
        self.checked: list[int] = []
        self.on_check: Callable[[int], None] = lambda _: None
        self.keeping = asyncio.Event()
        self.keeping.set()
        self._sealed = asyncio.Event()
        for _ in range(batches):
            self.seal()

    def seal(self) -> int:
        batch = len(self.anchors) + 1
        self.anchors[batch] = make(batch)
        self._sealed.set()
        return batch

    async def waiting(self, limit: int) -> Sequence[WaitingBatch]:
        rows = [
            WaitingBatch(batch, anchor, batch in self.refusals)
            for batch, anchor in self.anchors.items()
            if batch not in self.receipts
        ]
        return sorted(rows, key=lambda row: (row.refused, row.batch))[:limit]

    async def check(self, batch: int) -> None:
        self.checked.append(batch)
        self.on_check(batch)

    async def anchor(self, batch: int) -> bytes | None:
        return None if batch in self.receipts else self.anchors.get(batch)

    async def keep_receipt(self, batch: int, receipt: bytes, head: LedgerHead) -> None:
        await self.keeping.wait()
        self.receipts[batch] = (receipt, head)

    async def keep_refusal(self, batch: int, refusal: bytes) -> None:
        await self.keeping.wait()
        self.refusals[batch] = refusal

    async def wait_sealed(self) -> None:
        await self._sealed.wait()
        self._sealed.clear()


def receipt_of(
    *anchors: bytes,
    key: SecretKey = LEDGER_KEY,
    kid: bytes | None = None,
    city: str = CITY,
    ledger: str = LEDGER,
    size: int | None = None,
) -> bytes:
    """A receipt of the last of these anchors in a log that they make up."""
    tree = Tree([leaf_hash(anchor) for anchor in anchors])
    index = tree.size - 1
    signed = sign_root(city, ledger, "log-1", size or tree.size, NOW_S, tree.root(), kid or key.kid, key.sign)
    return signed.receipt(proof_of(index, tree.size, tree.inclusion_path(index)))


def refusal_of(anchor: bytes, key: SecretKey = LEDGER_KEY, ledger: str = LEDGER) -> bytes:
    claims = {1: f"{CITY}/{ledger}", 2: "log-1", 6: NOW_S}
    return make_refusal(claims, anchor_hash(anchor), RefusalReason.BROKEN_CHAIN, "broken", key.kid, key.sign)


class City:
    """The gateway's anchorer and a ledger's session at one broker."""

    def __init__(self, broker: BrokerProcess, store: MemoryStore) -> None:
        self.broker, self.store = broker, store
        self.gateway = Session(broker.url, GATEWAY, subscriptions=((batch_filter(RECEIPT, CITY, GATEWAY), 1),))
        self.ledger = Session(broker.url, LEDGER, subscriptions=((batch_filter(ANCHOR, CITY), 1),))
        self.anchorer = Anchorer(self.gateway, store, CITY, GATEWAY, LEDGERS)
        self.arrived: list[int] = []
        self.received = 0

    async def connect(self) -> None:
        self._connection = asyncio.create_task(self.gateway.run())
        await self.gateway.wait_connected()

    async def disconnect(self) -> None:
        self._connection.cancel()
        await asyncio.wait([self._connection])

    async def reconnect(self) -> None:
        await self.disconnect()
        await self.connect()

    async def collect(self) -> None:
        async for message in self.ledger.messages():
            address = parse_batch_topic(ANCHOR, CITY, message.topic)
            assert address is not None
            assert message.payload == self.store.anchors[address.batch]
            self.arrived.append(address.batch)
            message.acknowledge()

    async def receive(self) -> None:
        async for message in self.gateway.messages():
            await self.anchorer.receive(message)
            self.received += 1

    async def answer(self, batch: int, payload: bytes, journal: bytes = JOURNAL) -> None:
        """Publish what a ledger, or somebody who can write there, says of a batch; once it has been dealt with."""
        before = self.received
        topic = batch_topic(RECEIPT, CITY, BatchAddress(GATEWAY, journal, batch))
        await self.ledger.publish(RECEIPT.publication(topic, payload))
        await until(lambda: self.received > before)


@contextlib.asynccontextmanager
async def anchoring(broker: BrokerProcess, store: MemoryStore) -> AsyncIterator[City]:
    city = City(broker, store)
    async with asyncio.timeout(DEADLINE_S):
        ledger = [asyncio.create_task(city.ledger.run()), asyncio.create_task(city.collect())]
        await city.ledger.wait_connected()
        gateway = [asyncio.create_task(one) for one in (city.receive(), city.anchorer.run())]
        try:
            await city.connect()
            yield city
        finally:
            await city.disconnect()
            for task in (*gateway, *ledger):
                task.cancel()
            ended = await asyncio.gather(*gateway, *ledger, return_exceptions=True)
            broken = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
    assert not broken, broken
