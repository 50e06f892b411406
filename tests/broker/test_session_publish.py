from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from broker.publication import NotConnected, Publication, PublishRefused, PublishTimeout
from broker.session import Session
from tests.broker.running import running
from tests.broker.strict_aiomqtt import StrictClient
from tests.support.brokers import BrokerProcess, start_embedded, start_mosquitto

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_publish_returns_after_its_puback_and_readers_get_it_with_its_properties(broker: BrokerProcess) -> None:
    async with StrictClient(broker.url, "reader") as reader, running(Session(broker.url, "gw-1")) as session:
        await reader.subscribe("a/#", qos=1)
        await session.publish(Publication("a/1", b"\x00\xff", expiry_s=600, content_type="application/cose"))
        message = await anext(reader.messages)
    assert (str(message.topic), message.payload, message.qos) == ("a/1", b"\x00\xff", 1)
    properties: Any = message.properties
    assert properties.ContentType == "application/cose"
    assert 590 < properties.MessageExpiryInterval <= 600


async def test_a_retained_qos_0_publish_is_there_for_a_later_reader(broker: BrokerProcess) -> None:
    async with running(Session(broker.url, "gw-1")) as session:
        await session.publish(Publication("a/health", b"{}", qos=0, retain=True))
        await session.publish(Publication("a/after", b""))  # its PUBACK tells that the broker has the first as well
        async with StrictClient(broker.url, "reader") as reader:
            await reader.subscribe("a/health")
            message = await anext(reader.messages)
    assert (message.payload, message.retain) == (b"{}", True)


async def test_a_thousand_publishes_at_once_keep_to_the_window_and_all_arrive(broker: BrokerProcess) -> None:
    async with StrictClient(broker.url, "reader") as reader, running(Session(broker.url, "gw-1", window=16)) as session:
        await reader.subscribe("a/#", qos=1)
        connection = session._connection
        assert connection is not None
        most = 0

        async def publish(number: int) -> None:
            nonlocal most
            await session.publish(Publication(f"a/{number}", b"x"))
            most = max(most, len(connection._in_flight))

        await asyncio.gather(*(publish(number) for number in range(1000)))
        topics = [str((await anext(reader.messages)).topic) for _ in range(1000)]
    assert topics == [f"a/{number}" for number in range(1000)]
    assert 8 < most <= 16


async def test_a_refused_puback_raises_with_code_and_name_and_the_session_goes_on(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path, access_rules="pattern write up/%c/#\n") as broker:
        async with running(Session(broker.url, "gw-1")) as session:
            with pytest.raises(PublishRefused, match="up/gw-2/anchor") as refused:
                await session.publish(Publication("up/gw-2/anchor", b""))
            await session.publish(Publication("up/gw-1/anchor", b""))
            assert session.connection == 1
    assert (refused.value.code, refused.value.name) == (0x87, "Not authorized")


async def test_a_refused_publication_on_connect_is_told_and_does_not_end_the_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    on_connect = [Publication("up/gw-2/status", b""), Publication("up/gw-1/status", b"online", retain=True)]
    with start_mosquitto(tmp_path, access_rules="pattern write up/%c/#\ntopic read #\n") as broker:
        async with running(Session(broker.url, "gw-1", on_connect=on_connect)) as session:
            assert session.connection == 1
            assert "0x87" in session.last_error
            async with StrictClient(broker.url, "reader") as reader:
                await reader.subscribe("up/#")
                assert (await anext(reader.messages)).payload == b"online"
    assert [record for record in caplog.records if record.levelno == logging.WARNING and "0x87" in record.message]


async def test_what_is_published_without_a_connection_raises_at_once(broker: BrokerProcess) -> None:
    session = Session(broker.url, "gw-1")
    with pytest.raises(NotConnected, match=r"no connection to mqtt://127\.0\.0\.1:"):
        await session.publish(Publication("a/1", b""))
    assert session.connection == 0


async def test_a_topic_with_a_wildcard_is_the_callers_mistake_and_costs_no_slot(broker: BrokerProcess) -> None:
    async with running(Session(broker.url, "gw-1", window=1)) as session:
        for _ in range(3):
            with pytest.raises(ValueError, match="wildcard"):
                await session.publish(Publication("a/#", b""))
        await session.publish(Publication("a/1", b""))


async def test_connection_lost_in_flight_raises_for_all_who_wait_and_run_reconnects(broker: BrokerProcess) -> None:
    async with running(Session(broker.url, "gw-1", window=2)) as session:
        broker.freeze()
        # Two in the window, two waiting for a slot.
        publishes = [asyncio.create_task(session.publish(Publication(f"a/{n}", b""))) for n in range(4)]
        await asyncio.sleep(0)
        broker.kill()
        for outcome in await asyncio.gather(*publishes, return_exceptions=True):
            assert isinstance(outcome, NotConnected)
        await session.wait_disconnected(1)
        assert session.connection == 0
        broker.start()
        assert await session.wait_connected() == 2
        assert session.reconnects == 1
        await session.publish(Publication("a/again", b""))


async def test_a_publish_that_is_not_acknowledged_in_time_raises_and_a_new_connection_is_made(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.connection.PUBLISH_DEADLINE_S", 0.2)
    async with running(Session(broker.url, "gw-1")) as session:
        broker.freeze()
        with pytest.raises(PublishTimeout, match=r"does not acknowledge a/1 within 0\.2 s"):
            await session.publish(Publication("a/1", b""))
        await session.wait_disconnected(1)
        broker.thaw()
        assert await session.wait_connected() == 2


async def test_a_cancelled_publish_keeps_its_slot_until_the_broker_answers(broker: BrokerProcess) -> None:
    async with running(Session(broker.url, "gw-1", window=1)) as session:
        broker.freeze()
        first = asyncio.create_task(session.publish(Publication("a/1", b"")))
        await asyncio.sleep(0)
        first.cancel()
        second = asyncio.create_task(session.publish(Publication("a/2", b"")))
        with pytest.raises(asyncio.CancelledError):
            await first
        assert session._connection is not None
        assert session._connection._slots.locked()
        broker.thaw()
        await second


async def test_200_kb_pass_through_the_embedded_broker(tmp_path: Path) -> None:
    payload = bytes(200_000)
    with start_embedded(tmp_path) as broker:
        async with StrictClient(broker.url, "reader") as reader, running(Session(broker.url, "gw-1")) as session:
            await reader.subscribe("a/#", qos=1)
            await session.publish(Publication("a/1", payload))
            assert (await anext(reader.messages)).payload == payload


async def test_what_the_broker_announces_as_too_large_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path, settings="max_packet_size 2000") as broker:
        async with running(Session(broker.url, "gw-1")) as session:
            with pytest.raises(PublishRefused, match="Packet too large") as refused:
                await session.publish(Publication("a/1", bytes(2000)))
            await session.publish(Publication("a/1", bytes(1900), expiry_s=1, content_type="application/json"))
            assert session.connection == 1
    assert refused.value.code == 0x95
