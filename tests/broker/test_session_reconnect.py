from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from broker import session as session_module
from broker.publication import Publication
from broker.session import Session
from tests.broker.running import running, session_process
from tests.broker.strict_aiomqtt import StrictClient
from tests.support.brokers import BrokerProcess, start_mosquitto
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_broker_that_is_absent_at_start_is_waited_for_and_told_once(
    broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wayside.broker")
    broker.kill()
    session = Session(broker.url, "gw-1")
    attempts = 0
    backoff_s = session_module._backoff_s

    def counted(failures: int, *, slow: bool) -> float:
        nonlocal attempts
        attempts += 1
        return backoff_s(failures, slow=slow)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_module, "_backoff_s", counted)
        async with running(session, connected=False):
            await until(lambda: attempts >= 3)
            assert session.connection == 0
            assert "refused" in session.last_error
            broker.start()
            assert await session.wait_connected() == 1
    lines = [(record.levelname, record.connection) for record in caplog.records if record.name == "wayside.broker"]  # type: ignore[attr-defined]
    assert lines == [("WARNING", 0), ("INFO", 1)]


async def test_a_broker_killed_and_started_again_is_reconnected_to_and_subscribed_again(
    broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wayside.broker")
    online = Publication("s/status", b"online", retain=True)
    async with running(Session(broker.url, "gw-1", subscriptions=[("t/#", 1)], on_connect=[online])) as session:
        broker.kill()
        await session.wait_disconnected(1)
        broker.start()
        assert await session.wait_connected() == 2
        async with StrictClient(broker.url, "other") as other:
            await other.subscribe("s/#")
            assert (await anext(other.messages)).payload == b"online"
            await other.publish("t/1", b"", qos=1)
            assert (await anext(session.messages())).topic == "t/1"
        assert session.reconnects == 1
    assert [record.levelname for record in caplog.records].count("INFO") == 2


async def test_a_killed_client_leaves_its_will(broker: BrokerProcess) -> None:
    async with StrictClient(broker.url, "operator") as operator, session_process(broker.url, "gw-1") as process:
        await operator.subscribe("s/#", qos=1)
        process.kill()
        message = await anext(operator.messages)
    assert (message.payload, message.retain) == (b"offline", False)


async def test_a_cancelled_session_disconnects_cleanly_so_that_no_will_is_sent(broker: BrokerProcess) -> None:
    will = Publication("s/status", b"offline", retain=True)
    async with StrictClient(broker.url, "operator") as operator:
        await operator.subscribe("s/#", qos=1)
        async with running(Session(broker.url, "gw-1", will=will)):
            pass
        # The broker has dealt with the end of that session when its successor is connected.
        async with running(Session(broker.url, "gw-1")) as successor:
            await successor.publish(Publication("s/marker", b""))
        assert str((await anext(operator.messages)).topic) == "s/marker"


async def test_a_refused_connection_is_told_by_its_reason(tmp_path: Path) -> None:
    with start_mosquitto(tmp_path, settings="password_file /dev/null\nallow_anonymous false") as broker:
        session = Session(broker.url, "gw-1")
        async with running(session, connected=False):
            await until(lambda: session.last_error)
    assert "refuses the connection: Not authorized (0x87)" in session.last_error


def test_backoff_has_full_jitter_a_cap_and_is_slow_after_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    first = [session_module._backoff_s(0, slow=False) for _ in range(200)]
    later = [session_module._backoff_s(10_000, slow=False) for _ in range(200)]
    refused = [session_module._backoff_s(0, slow=True) for _ in range(200)]
    for delays, least, most in ((first, 0, 0.5), (later, 0, 30), (refused, 15, 30)):
        fifth = (most - least) / 5
        assert least <= min(delays) < least + fifth
        assert most - fifth < max(delays) <= most


async def test_a_broker_that_falls_silent_is_noticed_even_when_nothing_is_published(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.dial.KEEPALIVE_S", 1)
    monkeypatch.setattr("broker.connection.TICK_S", 0.05)
    async with running(Session(broker.url, "gw-1")) as session:
        broker.freeze()
        await session.wait_disconnected(1)
        broker.thaw()
        assert await session.wait_connected() == 2


async def test_run_stops_within_its_deadline_while_a_frozen_broker_answers_nothing(broker: BrokerProcess) -> None:
    async with running(Session(broker.url, "gw-1")):
        broker.freeze()
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 2
