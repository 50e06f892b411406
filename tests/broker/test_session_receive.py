from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from broker.session import PAYLOAD_BYTES_MAX, Session
from tests.broker.running import running, session_process
from tests.broker.strict_aiomqtt import StrictClient
from tests.support.brokers import BrokerProcess, start_mosquitto
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from broker.connection import Message


def receiver(broker: BrokerProcess, window: int = 64) -> Session:
    return Session(broker.url, "receiver", subscriptions=[("t/#", 1)], window=window)


async def take(session: Session, count: int, *, acknowledge: bool = True) -> list[Message]:
    taken: list[Message] = []
    async for message in session.messages():
        taken.append(message)
        if acknowledge:
            message.acknowledge()
        if len(taken) == count:
            break
    return taken


async def test_messages_come_in_order_with_payload_and_content_type(broker: BrokerProcess) -> None:
    async with StrictClient(broker.url, "sender") as sender, running(receiver(broker)) as session:
        for number in range(5):
            await sender.publish(f"t/{number}", bytes([number]), qos=1)
        messages = await take(session, 5)
    assert [(one.topic, one.payload, one.content_type) for one in messages] == [
        (f"t/{number}", bytes([number]), None) for number in range(5)
    ]


async def test_500_queued_messages_and_a_slow_consumer_keep_to_the_window_and_lose_nothing(
    broker: BrokerProcess,
) -> None:
    async with StrictClient(broker.url, "sender") as sender, running(receiver(broker)) as session:
        for number in range(500):
            await sender.publish(f"t/{number}", b"", qos=1)
        await until(lambda: len(session._inbox) >= 64)
        topics, most = [], 0
        async for message in session.messages():
            most = max(most, len(session._inbox) + 1)
            topics.append(message.topic)
            await asyncio.sleep(0)
            message.acknowledge()
            if len(topics) == 500:
                break
    assert topics == [f"t/{number}" for number in range(500)]
    assert most <= (64 if broker.name == "mosquitto" else 100)  # rumqttd takes no notice of Receive Maximum
    assert session.dropped == 0


async def test_a_session_that_was_away_takes_all_that_was_queued_for_it_many_windows_of_it(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker:
        async with running(receiver(broker, window=16)):
            pass
        async with StrictClient(broker.url, "sender") as sender:
            for number in range(400):
                await sender.publish(f"t/{number}", b"", qos=1)
        async with running(receiver(broker, window=16), connected=False) as session:
            topics = set()
            async for message in session.messages():
                topics.add(message.topic)
                await asyncio.sleep(0.001)  # slower than the broker, which then sends ahead of the window
                message.acknowledge()
                if len(topics) == 400:
                    break


async def test_what_a_killed_client_did_not_acknowledge_is_delivered_to_its_next_start(broker: BrokerProcess) -> None:
    async with session_process(broker.url, "receiver") as process, StrictClient(broker.url, "sender") as sender:
        assert process.stdout is not None
        await sender.publish("t/1", b"", qos=1)
        assert await process.stdout.readline() == b"t/1\n"
        process.kill()
        await process.wait()
        await sender.publish("t/2", b"", qos=1)
        async with running(receiver(broker)) as session:
            assert [message.topic for message in await take(session, 2)] == ["t/1", "t/2"]


async def test_what_was_acknowledged_is_not_delivered_again(broker: BrokerProcess) -> None:
    async with StrictClient(broker.url, "sender") as sender:
        async with running(receiver(broker)) as session:
            await sender.publish("t/1", b"", qos=1)
            await take(session, 1)
        await sender.publish("t/2", b"", qos=1)
        async with running(receiver(broker)) as session:
            assert [message.topic for message in await take(session, 1)] == ["t/2"]


async def test_an_acknowledgement_after_the_connection_is_gone_does_nothing_and_the_broker_redelivers(
    tmp_path: Path,
) -> None:
    with start_mosquitto(tmp_path, durable=True) as broker:
        async with running(receiver(broker)) as session:
            async with StrictClient(broker.url, "sender") as sender:
                await sender.publish("t/1", b"", qos=1)
            [message] = await take(session, 1, acknowledge=False)
            broker.persist()
            broker.kill()
            await session.wait_disconnected(1)
            message.acknowledge()
            broker.start()
            assert await session.wait_connected() == 2
            message.acknowledge()
            [again] = await take(session, 1)
    assert again.topic == "t/1"


async def test_a_payload_over_the_bound_is_acknowledged_dropped_and_counted(broker: BrokerProcess) -> None:
    async with StrictClient(broker.url, "sender") as sender, running(receiver(broker, window=1)) as session:
        await sender.publish("t/large", bytes(PAYLOAD_BYTES_MAX + 1), qos=1)
        await sender.publish("t/largest", bytes(PAYLOAD_BYTES_MAX), qos=1)
        assert [message.topic for message in await take(session, 1)] == ["t/largest"]
    assert session.dropped == 1


async def test_qos_0_faster_than_it_is_taken_is_dropped_and_counted_but_no_qos_1_is(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker:
        async with StrictClient(broker.url, "sender") as sender, running(receiver(broker, window=4)) as session:
            for number in range(10):
                await sender.publish(f"t/{number}", b"", qos=0)
            await sender.publish("t/last", b"", qos=1)
            await until(lambda: len(session._inbox) >= 5)
            assert [message.topic for message in await take(session, 5)] == ["t/0", "t/1", "t/2", "t/3", "t/last"]
    assert session.dropped == 6


async def test_messages_that_wait_across_reconnects_stay_within_four_windows(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path) as broker:
        async with running(receiver(broker, window=4)) as session:
            for connection in range(1, 8):
                await session.wait_connected()
                async with StrictClient(broker.url, "sender") as sender:
                    for number in range(4):
                        await sender.publish(f"t/{connection}-{number}", b"", qos=1)
                last = f"t/{connection}-3"
                await until(lambda: session._inbox and session._inbox[-1].topic == last)  # noqa: B023 - awaited here
                broker.kill()
                broker.start()
                await session.wait_disconnected(connection)
            await session.wait_connected()
            topics = [message.topic for message in await take(session, 16)]
    # The broker was not durable and forgot them; a session cannot know, and keeps the newest.
    assert topics == [f"t/{connection}-{number}" for connection in (4, 5, 6, 7) for number in range(4)]
