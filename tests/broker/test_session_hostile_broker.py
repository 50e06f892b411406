from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.connection import Connection, ConnectionEndedError
from broker.dial import ConnectOptions
from broker.publication import NotConnected, Publication
from broker.session import Session
from tests.broker.running import DEADLINE_S, running
from tests.broker.scripted_broker import ScriptedBroker
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNACK = bytes.fromhex("2003000000")
SUBACK = bytes.fromhex("900400010001")


async def told(scripted: ScriptedBroker, *, times: int = 2, on_connect: Sequence[Publication] = ()) -> Session:
    """A session that has met `scripted` that many times and still runs."""
    async with scripted.serving() as url:
        session = Session(url, "gw-1", subscriptions=[("t/#", 1)], on_connect=on_connect)
        async with running(session, connected=False):
            await until(lambda: scripted.connections >= times and session.last_error)
    return session


async def test_a_server_that_accepts_and_says_nothing_is_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.connection.CONNECT_DEADLINE_S", 0.1)
    session = await told(ScriptedBroker())
    assert session.last_error.endswith("does not answer within 0.1 s")
    assert session.connection == 0


async def test_a_server_that_speaks_garbage_is_told_and_tried_again() -> None:
    session = await told(ScriptedBroker(b"HTTP/1.1 400 Bad Request\r\n\r\n", close=True))
    assert session.last_error
    assert session.connection == 0


async def test_a_server_that_closes_without_connack_is_suspected_of_another_mqtt_version() -> None:
    session = await told(ScriptedBroker(b"", close=True))
    assert "does it speak MQTT 5?" in session.last_error


@pytest.mark.parametrize("connack", ["20020001", "2003008400"])
async def test_a_broker_without_mqtt_5_is_told_as_such(connack: str) -> None:
    session = await told(ScriptedBroker(bytes.fromhex(connack)), times=1)
    assert "Unsupported protocol version" in session.last_error
    assert session.last_error.endswith("Wayside needs a broker with MQTT 5")


async def test_a_refused_subscription_is_told_and_is_no_connection() -> None:
    session = await told(ScriptedBroker(CONNACK, bytes.fromhex("900400010087")), times=1)
    assert session.last_error.endswith("refuses the subscription to t/#: Not authorized (0x87)")
    assert session.reconnects == 0


async def test_a_suback_without_an_answer_to_each_filter_is_no_connection() -> None:
    session = await told(ScriptedBroker(CONNACK, bytes.fromhex("9003000100")), times=1)
    assert "another number of reason codes" in session.last_error


async def test_a_session_taken_over_is_told_as_a_client_id_used_twice() -> None:
    session = await told(ScriptedBroker(CONNACK, SUBACK + bytes.fromhex("e0028e00")), times=1)
    assert "another client that calls itself gw-1 (0x8e)" in session.last_error


async def test_a_disconnect_is_told_by_its_reason() -> None:
    session = await told(ScriptedBroker(CONNACK, SUBACK + bytes.fromhex("e0028b00")))
    assert session.last_error.endswith("disconnects: Server shutting down (0x8b)")


async def test_a_connection_lost_while_the_status_is_published_is_made_again() -> None:
    scripted = ScriptedBroker(CONNACK, SUBACK, bytes.fromhex("e0028b00"))
    session = await told(scripted, on_connect=[Publication("s/status", b"online")])
    assert session.last_error.endswith("disconnects: Server shutting down (0x8b)")
    assert session.reconnects == 0


async def test_a_packet_over_the_bound_ends_the_connection_before_it_fills_the_memory() -> None:
    session = await told(ScriptedBroker(CONNACK, SUBACK + bytes.fromhex("32ffffff7f") + bytes(1000)))
    assert session.last_error.endswith("sends a packet of more than 262144 bytes")


async def test_qos_2_ends_the_connection() -> None:
    session = await told(ScriptedBroker(CONNACK, SUBACK + bytes.fromhex("34080003742f31000100")))
    assert session.last_error.endswith("sends QoS 2, which was not subscribed to")


async def test_what_exceeds_twice_the_receive_maximum_is_left_to_a_new_connection() -> None:
    publishes = b"".join(
        bytes.fromhex("32080003742f31") + number.to_bytes(2, "big") + b"\0" for number in range(1, 130)
    )
    scripted = ScriptedBroker(CONNACK, SUBACK + publishes)
    async with scripted.serving() as url, running(Session(url, "gw-1", subscriptions=[("t/#", 1)])) as session:
        await until(lambda: len(session._inbox) == 128)
        taken = [await anext(session.messages()) for _ in range(128)]
        assert session.connection == 1
        for message in taken:
            message.acknowledge()
        await until(lambda: session.last_error)
    assert session.last_error.endswith("sent more than Receive Maximum allows; a new connection fetches the rest")


async def test_acknowledging_twice_does_not_acknowledge_the_message_that_reuses_the_packet_id() -> None:
    publish, puback = bytes.fromhex("320a0003742f31000700") + b"ab", bytes.fromhex("40020007")
    scripted = ScriptedBroker(CONNACK, SUBACK + publish, publish)
    async with scripted.serving() as url, running(Session(url, "gw-1", subscriptions=[("t/#", 1)])) as session:
        messages = session.messages()
        first = await anext(messages)
        first.acknowledge()
        second = await anext(messages)
        first.acknowledge()
        await session.publish(Publication("a", b"", qos=0))
        second.acknowledge()
        await until(lambda: scripted.received.count(puback) == 2)
    # The PUBLISH between the two tells that the second acknowledgement of the first sent nothing.
    assert puback + bytes.fromhex("300400016100") + puback in scripted.received


async def test_each_loss_and_recovery_is_told_even_when_it_is_the_same_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "wayside.broker")
    await told(ScriptedBroker(CONNACK, SUBACK + bytes.fromhex("e0028b00")), times=3)
    levels = [record.levelname for record in caplog.records if record.name == "wayside.broker"]
    assert levels[:4] == ["INFO", "WARNING", "INFO", "WARNING"]


@pytest.mark.parametrize(("stable_s", "failures"), [(0.0, [0, 0, 0]), (10.0, [1, 2, 3])])
async def test_only_a_connection_that_lasted_ends_the_series_of_failures(
    stable_s: float, failures: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def backoff_s(count: int, *, slow: bool) -> float:
        assert not slow
        seen.append(count)
        return 0

    monkeypatch.setattr("broker.session.STABLE_S", stable_s)
    monkeypatch.setattr("broker.session._backoff_s", backoff_s)
    await told(ScriptedBroker(CONNACK, SUBACK + bytes.fromhex("e0028b00")), times=4)
    assert seen[:3] == failures


async def test_a_second_connack_does_not_widen_the_window() -> None:
    narrow, wide = bytes.fromhex("2006000003210001"), bytes.fromhex("200600000321ffff")
    async with (
        ScriptedBroker(narrow, SUBACK + wide).serving() as url,
        running(Session(url, "gw-1", subscriptions=[("t/#", 1)])) as session,
    ):
        publishes = [asyncio.create_task(session.publish(Publication("a", b""))) for _ in range(3)]
        await asyncio.sleep(0)
        assert session._connection is not None
        assert len(session._connection._in_flight) == 1
        session._connection._lose("is over")
        for outcome in await asyncio.gather(*publishes, return_exceptions=True):
            assert isinstance(outcome, NotConnected)


@given(noise=st.binary(max_size=64), greeting=st.sampled_from([b"", CONNACK, CONNACK + SUBACK]))
@example(noise=bytes.fromhex("3203000100"), greeting=CONNACK + SUBACK)  # PUBLISH cut in its packet id
@example(noise=bytes.fromhex("32070002fffe000100"), greeting=CONNACK + SUBACK)  # a topic that is not UTF-8
@example(noise=bytes.fromhex("4003000107"), greeting=CONNACK + SUBACK)  # PUBACK with a reason code that is none
@example(noise=bytes.fromhex("e00107"), greeting=CONNACK + SUBACK)  # DISCONNECT likewise
@settings(max_examples=150, deadline=None)
async def test_no_bytes_whatever_do_more_than_end_the_connection(noise: bytes, greeting: bytes) -> None:
    async with ScriptedBroker(greeting + noise, close=True).serving() as url, asyncio.timeout(DEADLINE_S):
        options = ConnectOptions(url, "gw-1", (("t/#", 1),), None, clean_start=False, session_expiry_s=60, window=8)
        connection = Connection(options, lambda _message: None)
        with pytest.raises(ConnectionEndedError):  # noqa: PT012 - whether `open` succeeds depends on the noise
            await connection.open()
            await connection.until_lost()
        await connection.close()
