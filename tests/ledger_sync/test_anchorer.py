from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import pytest

from broker.publication import Publication
from broker.session import Session
from broker.topics import ANCHOR, RECEIPT, BatchAddress, batch_topic
from ledger_sync import anchorer as anchorer_module
from ledger_sync.anchorer import WINDOW, Anchorer
from ledger_sync.proof.anchor import LedgerHead
from ledger_sync.proof.errors import ProofError
from ledger_sync.proof.merkle import Tree, leaf_hash
from tests.support.brokers import BrokerProcess, start_embedded, start_mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

from tests.ledger_sync.anchoring import (
    CITY,
    DEADLINE_S,
    GATEWAY,
    JOURNAL,
    LEDGERS,
    NOW_S,
    OTHER_KEY,
    MemoryStore,
    anchoring,
    make,
    receipt_of,
    refusal_of,
)
from tests.support.waiting import until


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerProcess]:
    with (start_mosquitto if request.param == "mosquitto" else start_embedded)(tmp_path) as process:
        yield process


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[BrokerProcess]:
    with start_mosquitto(tmp_path) as process:
        yield process


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.session.BACKOFF_FIRST_S", 0.02)
    monkeypatch.setattr("broker.session.BACKOFF_MAX_S", 0.2)
    monkeypatch.setattr("broker.session.STABLE_S", 0.0)


async def test_what_waits_at_start_is_sent_and_what_is_sealed_later_too(broker: BrokerProcess) -> None:
    async with anchoring(broker, MemoryStore(2)) as city:
        await until(lambda: sorted(city.arrived) == [1, 2])
        city.store.seal()
        await until(lambda: sorted(city.arrived) == [1, 2, 3])
        assert city.anchorer.counters.published == 3
        assert city.anchorer.counters.last_anchor_at is not None
        assert sorted(city.store.checked) == [1, 2, 3], "hashed again before it is first sent, and once"


async def test_a_receipt_is_kept_with_the_head_that_it_proves(broker: BrokerProcess) -> None:
    async with anchoring(broker, MemoryStore(2)) as city:
        first, second = city.store.anchors.values()
        receipt = receipt_of(first, second)
        await city.answer(2, receipt)
        head = LedgerHead(2, Tree([leaf_hash(first), leaf_hash(second)]).root(), NOW_S)
        assert city.store.receipts == {2: (receipt, head)}
        assert city.anchorer.counters.receipts == 1
        assert city.anchorer.counters.last_receipt_at is not None


async def test_on_a_new_connection_everything_goes_out_again(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchorer_module, "RESEND_FIRST_S", 3600)
    async with anchoring(broker, MemoryStore(3)) as city:
        await until(lambda: sorted(city.arrived) == [1, 2, 3])
        await city.answer(2, receipt_of(city.store.anchors[2]))
        city.arrived.clear()
        await city.reconnect()
        await until(lambda: sorted(city.arrived) == [1, 3])
        assert sorted(city.store.checked) == [1, 2, 3]


async def test_a_broker_that_dies_and_forgets_everything_costs_nothing_but_time(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchorer_module, "RESEND_FIRST_S", 0.3)  # the ledger may be back after the gateway
    async with anchoring(broker, MemoryStore(3)) as city:
        await until(lambda: sorted(set(city.arrived)) == [1, 2, 3])
        city.arrived.clear()
        broker.kill()
        city.store.seal()
        broker.start()
        await until(lambda: sorted(set(city.arrived)) == [1, 2, 3, 4])


async def test_what_is_not_answered_is_sent_again_and_ever_more_slowly(
    mosquitto: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchorer_module, "RESEND_FIRST_S", 0.1)
    monkeypatch.setattr(anchorer_module, "RESEND_MAX_S", 0.4)
    planned: list[float] = []

    def not_jittered(delay_s: float) -> float:
        planned.append(delay_s)
        return delay_s

    monkeypatch.setattr(anchorer_module, "_jittered", not_jittered)
    begin = time.monotonic()
    async with anchoring(mosquitto, MemoryStore(1)) as city:
        await until(lambda: len(city.arrived) == 5)
    assert planned[:5] == [0.1, 0.2, 0.4, 0.4, 0.4]
    assert time.monotonic() - begin > 0.1 + 0.2 + 0.4 + 0.4


def test_the_schedule_of_the_design() -> None:
    assert (anchorer_module.RESEND_FIRST_S, anchorer_module.RESEND_MAX_S, WINDOW) == (5.0, 60.0, 64)
    random.seed(1)
    jittered = [anchorer_module._jittered(60.0) for _ in range(1000)]
    assert 45 <= min(jittered) < 50
    assert 70 < max(jittered) <= 75


async def test_no_more_than_a_window_waits_for_answers(mosquitto: BrokerProcess) -> None:
    async with anchoring(mosquitto, MemoryStore(WINDOW + 10)) as city:
        await until(lambda: len(city.arrived) == WINDOW)
        await asyncio.sleep(0.1)
        assert sorted(city.arrived) == list(range(1, WINDOW + 1))
        await city.answer(7, receipt_of(city.store.anchors[7]))
        await until(lambda: len(city.arrived) == WINDOW + 1)
        assert city.arrived[-1] == WINDOW + 1


async def test_a_refused_batch_is_kept_as_refused_and_tried_again_slowly(
    mosquitto: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchorer_module, "RESEND_FIRST_S", 0.5)
    monkeypatch.setattr(anchorer_module, "REFUSED_RESEND_S", 1.2)
    async with anchoring(mosquitto, MemoryStore(1)) as city:
        await until(lambda: city.arrived)
        refusal = refusal_of(city.store.anchors[1])
        await city.answer(1, refusal)
        begin = time.monotonic()
        assert city.store.refusals == {1: refusal}
        assert city.anchorer.counters.refusals == 1
        await until(lambda: len(city.arrived) == 2)
        assert time.monotonic() - begin > 0.85, "not the schedule of what is unanswered"
        await city.answer(1, receipt_of(city.store.anchors[1]))
        assert city.store.receipts.keys() == {1}
        await city.answer(1, refusal)
        assert city.anchorer.counters.refusals == 1, "a receipt stays"


async def test_an_answer_is_acknowledged_only_once_it_is_kept(mosquitto: BrokerProcess) -> None:
    store = MemoryStore(1)
    store.keeping.clear()
    async with anchoring(mosquitto, store) as city:
        receipt = receipt_of(store.anchors[1])
        topic = batch_topic(RECEIPT, CITY, BatchAddress(GATEWAY, JOURNAL, 1))
        await city.ledger.publish(RECEIPT.publication(topic, receipt))
        await asyncio.sleep(0.1)
        assert (city.received, store.receipts) == (0, {})
    # The gateway died before it was kept: the broker delivers it to the next one.
    store.keeping.set()
    async with anchoring(mosquitto, store) as city:
        await until(lambda: store.receipts)
        assert store.receipts[1][0] == receipt


def forgeries() -> dict[str, tuple[int, bytes]]:
    anchors = {batch: make(batch) for batch in (1, 2, 3)}
    sound = receipt_of(anchors[1])
    return {
        "nothing": (1, b""),
        "noise": (1, b"\xff" * 100),
        "an anchor": (1, anchors[1]),
        "a receipt by another key": (1, receipt_of(anchors[1], key=OTHER_KEY)),
        "a receipt under another kid, which `verify` would refuse": (1, receipt_of(anchors[1], kid=OTHER_KEY.kid)),
        "a receipt of another ledger": (1, receipt_of(anchors[1], ledger="ledger-2")),
        "a receipt of another city": (1, receipt_of(anchors[1], city="town")),
        "a receipt of another batch": (1, receipt_of(anchors[2])),
        "a receipt under another size": (1, receipt_of(anchors[1], size=2)),
        "a receipt that is cut": (1, sound[:-1]),
        "a receipt and more": (1, sound + b"\x00"),
        "a flipped signature": (1, sound[:-1] + bytes([sound[-1] ^ 1])),
        "a refusal by another key": (1, refusal_of(anchors[1], key=OTHER_KEY)),
        "a refusal of another ledger": (1, refusal_of(anchors[1], ledger="ledger-2")),
        "a refusal of another batch": (1, refusal_of(anchors[2])),
    }


async def test_what_proves_nothing_is_ignored_and_counted(
    mosquitto: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    async with anchoring(mosquitto, MemoryStore(3)) as city:
        for count, (name, (batch, payload)) in enumerate(forgeries().items(), 1):
            await city.answer(batch, payload)
            assert (city.store.receipts, city.store.refusals) == ({}, {}), name
            assert city.anchorer.counters.answers_ignored == count, name
        await city.answer(1, receipt_of(city.store.anchors[1]), journal=bytes(16))
        assert city.store.receipts == {}
        sound = receipt_of(city.store.anchors[1])
        for _ in range(3):
            await city.answer(1, sound)
        await city.answer(9, sound)
        assert city.anchorer.counters.receipts == 1
        assert city.anchorer.counters.answers_ignored == len(forgeries()) + 1
        assert city.anchorer.counters.answers_repeated == 3
    assert [one.message for one in caplog.records].count("an answer that proves nothing was ignored") == 1


async def test_no_flipped_bit_of_an_answer_passes(mosquitto: BrokerProcess) -> None:
    store = MemoryStore(2)
    anchorer = Anchorer(Session(mosquitto.url, GATEWAY), store, CITY, GATEWAY, LEDGERS)
    for sound in (receipt_of(store.anchors[2], store.anchors[1]), refusal_of(store.anchors[1])):
        for place in range(len(sound)):
            altered = sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :]
            with pytest.raises(ProofError):
                await anchorer._receive(1, altered)
            with pytest.raises(ProofError):
                await anchorer._receive(1, sound[:place])
    assert (store.receipts, store.refusals) == ({}, {})


async def test_what_is_not_addressed_to_this_gateway_is_ignored(mosquitto: BrokerProcess) -> None:
    store = MemoryStore(1)
    # A broker is not trusted: it may deliver what nobody subscribed to.
    session = Session(mosquitto.url, GATEWAY, subscriptions=(("wayside/#", 1),))
    anchorer = Anchorer(session, store, CITY, GATEWAY, LEDGERS)
    running = asyncio.create_task(session.run())
    async with asyncio.timeout(DEADLINE_S):
        await session.wait_connected()
        for place in ("dn/gw-2/receipt", "dn/gw-1/receipts", "dn/gw-1", "up/gw-1/receipt"):
            topic = f"wayside/v1/{CITY}/{place}/{JOURNAL.hex()}/1"
            await session.publish(Publication(topic, receipt_of(store.anchors[1])))
        messages = session.messages()
        for count in range(1, 5):
            await anchorer.receive(await anext(messages))
            assert (store.receipts, anchorer.counters.answers_ignored) == ({}, count)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_batch_that_is_not_what_was_anchored_ends_the_anchorer_and_is_never_sent(
    mosquitto: BrokerProcess,
) -> None:
    store = MemoryStore(2)

    def corrupt(batch: int) -> None:
        if batch == 1:
            raise RuntimeError("batch 1: its events are not those that were anchored")

    store.on_check = corrupt
    session = Session(mosquitto.url, GATEWAY)
    running = asyncio.create_task(session.run())
    async with asyncio.timeout(DEADLINE_S):
        with pytest.RaisesGroup(RuntimeError):
            await Anchorer(session, store, CITY, GATEWAY, LEDGERS).run()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_one_publish_that_the_broker_refuses_holds_up_no_other(tmp_path: Path) -> None:
    rules = f"topic write wayside/v1/{CITY}/up/{GATEWAY}/anchor/{JOURNAL.hex()}/2\ntopic read #\n"
    with start_mosquitto(tmp_path, access_rules=rules) as broker:
        async with anchoring(broker, MemoryStore(2)) as city:
            await until(lambda: city.anchorer.counters.published and city.arrived)
            assert (city.arrived, city.anchorer.counters.published) == ([2], 1)


async def test_stopping_is_never_swallowed(mosquitto: BrokerProcess) -> None:
    for turn in range(20):
        store = MemoryStore(1)
        session = Session(mosquitto.url, GATEWAY)
        tasks = [asyncio.create_task(session.run())]
        await session.wait_connected()
        tasks.append(asyncio.create_task(Anchorer(session, store, CITY, GATEWAY, LEDGERS).run()))
        for _ in range(turn):
            store.seal()
            await asyncio.sleep(0)
        store.seal()
        async with asyncio.timeout(DEADLINE_S):
            for task in reversed(tasks):
                task.cancel()
            await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)


def test_a_publication_is_what_the_table_says() -> None:
    topic = batch_topic(ANCHOR, CITY, BatchAddress(GATEWAY, JOURNAL, 1))
    publication = ANCHOR.publication(topic, b"anchor")
    assert isinstance(publication, Publication)
    assert (publication.qos, publication.retain) == (1, False)
