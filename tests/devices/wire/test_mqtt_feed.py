from __future__ import annotations

import asyncio
import contextlib
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from broker.url import BrokerUrl
from devices.driver import DeviceError, Origin, Reading, WireCounters
from devices.wire import mqtt_feed
from devices.wire.mqtt_feed import MqttFeed
from devices.wire.mqtt_settings import MqttSettings
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.publishing import publish
from tests.support.brokers import BrokerProcess, free_port, start_mosquitto
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

TOPIC = "t/+"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with start_mosquitto(tmp_path, durable=True) as process:
        yield process


def reading(number: int) -> Reading:
    return Reading("meter.reading", {}, Origin.UNPROTECTED, f"id-{number}")


@contextlib.asynccontextmanager
async def opened(url: BrokerUrl, counters: WireCounters | None = None, **settings: Any) -> AsyncIterator[MqttFeed]:
    feed = MqttFeed(MqttSettings(url, **settings), "device-1", TOPIC, counters or WireCounters())
    async with asyncio.timeout(20):
        await feed.open()
        try:
            yield feed
        finally:
            await feed.close()


async def payloads(feed: MqttFeed, count: int) -> list[bytes]:
    return [(await feed.read()).payload for _ in range(count)]


async def test_messages_come_in_order(broker: BrokerProcess) -> None:
    async with opened(broker.url) as feed:
        await publish(broker.url, ("t/a", b"1"), ("t/b", b"2"), ("u", b"not ours"), ("t/a", b"3"))
        messages = [await feed.read() for _ in range(3)]
    assert [(one.topic, one.payload, one.qos) for one in messages] == [
        ("t/a", b"1", 1),
        ("t/b", b"2", 1),
        ("t/a", b"3", 1),
    ]


async def test_a_message_is_acknowledged_when_the_last_of_its_readings_is_settled(broker: BrokerProcess) -> None:
    async with opened(broker.url) as feed:
        await publish(broker.url, ("t/a", b"two readings"), ("t/a", b"none"))
        message = await feed.read()
        feed.settle_after(message, [reading(1), reading(2)])
        feed.settle_after(await feed.read(), [])
        feed.settle(reading(1))
    async with opened(broker.url) as feed:
        again = await feed.read()
        assert (again.payload, again.packet_id) == (b"two readings", message.packet_id)
        feed.settle_after(again, [reading(1), reading(2)])
        feed.settle(reading(2))
        feed.settle(reading(1))
        await publish(broker.url, ("t/a", b"end"))
        await feed.read()
    async with opened(broker.url) as feed:
        assert await payloads(feed, 1) == [b"end"]


async def test_one_outcome_acknowledges_every_message_that_told_the_same_reading(broker: BrokerProcess) -> None:
    async with opened(broker.url) as feed:
        await publish(broker.url, ("t/a", b"same"), ("t/a", b"same"), ("t/a", b"end"))
        for _ in range(2):
            feed.settle_after(await feed.read(), [reading(1)])
        feed.settle(reading(1))
        feed.settle(reading(1))
    async with opened(broker.url) as feed:
        assert await payloads(feed, 1) == [b"end"]


async def test_what_is_sent_while_we_are_away_is_delivered_later_many_windows_of_it(
    broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_feed, "WINDOW", 8)
    async with opened(broker.url):
        pass
    await publish(broker.url, *(("t/a", b"%d" % number) for number in range(300)))
    async with opened(broker.url) as feed:
        connection = feed._connection
        seen: set[bytes] = set()
        while len(seen) < 300:
            message = await feed.read()
            seen.add(message.payload)
            await asyncio.sleep(0.001)  # slower than the broker, which then sends ahead of the window
            feed.settle_after(message, [])
        assert feed._connection is not connection


async def test_what_was_not_read_before_a_close_comes_once_more_and_not_twice(broker: BrokerProcess) -> None:
    feed = MqttFeed(MqttSettings(broker.url), "device-1", TOPIC, WireCounters())
    async with asyncio.timeout(20):
        await feed.open()
        await publish(broker.url, ("t/a", b"1"))
        await until(lambda: feed._inbox, "it came")
        await feed.open()
        feed.settle_after(await feed.read(), [])
        await publish(broker.url, ("t/a", b"end"))
        assert await payloads(feed, 1) == [b"end"]
        await feed.close()


async def test_the_broker_sends_no_more_than_the_window_ahead_of_what_is_settled(broker: BrokerProcess) -> None:
    async with opened(broker.url) as feed:
        await publish(broker.url, *(("t/a", b"x") for _ in range(3 * mqtt_feed.WINDOW)))
        await asyncio.sleep(0.2)
        assert len(feed._inbox) <= 2 * mqtt_feed.WINDOW


async def test_a_retained_message_of_before_is_left_out_and_a_live_one_is_read(broker: BrokerProcess) -> None:
    await publish(broker.url, ("t/a", b"old"), retain=True)
    counters = WireCounters()
    for _ in range(2):
        async with opened(broker.url, counters) as feed:
            await publish(broker.url, ("t/a", b"live"), retain=True)
            message = await feed.read()
            assert message.payload == b"live"
            feed.settle_after(message, [])
    assert counters.errors == 0


async def test_what_is_too_large_or_too_fast_is_counted_and_acknowledged(broker: BrokerProcess) -> None:
    counters = WireCounters()
    async with opened(broker.url, counters) as feed:
        await publish(broker.url, ("t/a", b"x" * (mqtt_feed.PAYLOAD_BYTES_MAX + 1)), ("t/a", b"good"))
        assert await payloads(feed, 1) == [b"good"]
        assert (counters.errors, counters.bytes_dropped) == (1, mqtt_feed.PAYLOAD_BYTES_MAX + 1)
        await publish(broker.url, *(("t/a", b"x") for _ in range(mqtt_feed.WINDOW + 10)), qos=0)
        await until(lambda: counters.errors == 11, "ten messages are dropped")
        assert "faster" in counters.last_error


async def test_a_packet_over_the_limit_that_we_told_the_broker_is_not_sent_to_us(broker: BrokerProcess) -> None:
    async with opened(broker.url) as feed:
        await publish(broker.url, ("t/a", b"x" * 300_000), ("t/a", b"good"))
        assert await payloads(feed, 1) == [b"good"]


async def test_a_broker_that_is_killed_is_a_device_error_after_what_had_come(broker: BrokerProcess) -> None:
    async with opened(broker.url) as feed:
        await publish(broker.url, ("t/a", b"1"))
        await until(lambda: feed._inbox, "it came")
        broker.kill()
        assert await payloads(feed, 1) == [b"1"]
        with pytest.raises(DeviceError, match=rf"^{broker.url}: the broker closes the connection"):
            await feed.read()
        broker.start()
        await feed.open()
        await publish(broker.url, ("t/a", b"2"))
        assert await payloads(feed, 1) == [b"2"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (BrokerUrl("127.0.0.1", free_port()), "cannot be reached"),
        (BrokerUrl("no-such-host.invalid", 1883), "cannot be reached"),
    ],
)
async def test_no_broker_is_a_device_error_that_names_the_url(url: BrokerUrl, why: str) -> None:
    with pytest.raises(DeviceError, match=rf"^{url}: the broker {why}.*; does the broker run\?$"):
        async with opened(url):
            pass


async def test_reading_a_feed_that_is_not_open_is_a_device_error() -> None:
    feed = MqttFeed(MqttSettings(BrokerUrl("127.0.0.1", 1)), "device-1", TOPIC, WireCounters())
    with pytest.raises(DeviceError, match="is not open"):
        await feed.read()


async def test_two_gateways_with_one_client_id_are_told_so(broker: BrokerProcess) -> None:
    async with opened(broker.url) as feed, opened(broker.url):
        with pytest.raises(DeviceError, match="another client calls itself wayside-device-1"):
            await feed.read()


async def test_cancelling_a_read_leaves_a_feed_that_reads_on(broker: BrokerProcess) -> None:
    async with opened(broker.url) as feed:
        task = asyncio.create_task(feed.read())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await publish(broker.url, ("t/a", b"1"))
        assert await payloads(feed, 1) == [b"1"]


class TestPassword:
    @pytest.fixture
    def guarded(self, tmp_path: Path) -> Iterator[BrokerProcess]:
        passwords = tmp_path / "passwords"
        passwords.touch(mode=0o600)
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), "gateway", "correct horse"], check=True, timeout=10)
        # Mosquitto takes the last word on anonymous access.
        settings = f"allow_anonymous false\npassword_file {passwords}"
        with start_mosquitto(tmp_path, settings=settings) as process:
            yield process

    @staticmethod
    def keep(folder: Path, content: bytes) -> Path:
        path = folder / "password"
        path.write_bytes(content)
        return path

    async def test_the_right_one_is_let_in(self, guarded: BrokerProcess, tmp_path: Path) -> None:
        path = self.keep(tmp_path, b"correct horse\n")
        async with opened(guarded.url, username="gateway", password_file=path):
            pass

    async def test_a_wrong_one_or_none_is_a_device_error_that_does_not_tell_it(
        self, guarded: BrokerProcess, tmp_path: Path
    ) -> None:
        path = self.keep(tmp_path, b"battery staple")
        for credentials in ({}, {"username": "gateway"}, {"username": "gateway", "password_file": path}):
            with pytest.raises(DeviceError, match=r"refuses the connection: Not authorized.*username") as caught:
                async with opened(guarded.url, **credentials):
                    pass
            assert "staple" not in repr(caught.value)

    @pytest.mark.parametrize(
        ("content", "why"), [(b"", "nothing"), (b"\n", "nothing"), (b"x" * 5000, "too much"), (b"\xffsecret", "UTF-8")]
    )
    async def test_a_file_that_holds_no_password_is_told(self, tmp_path: Path, content: bytes, why: str) -> None:
        path = self.keep(tmp_path, content)
        with pytest.raises(DeviceError, match=rf"^password_file {path}: .*{why}") as caught:
            async with opened(BrokerUrl("127.0.0.1", 1), username="gateway", password_file=path):
                pass
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    async def test_a_file_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(DeviceError, match="nowhere: cannot be read"):
            async with opened(BrokerUrl("127.0.0.1", 1), username="gateway", password_file=tmp_path / "nowhere"):
                pass


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({}, "url: is missing"),
        ({"url": "mqtts://host"}, "url: TLS is not supported yet"),
        ({"url": "mqtt://user:secret@host"}, "url: must not carry a user name or password"),
        ({"url": "mqtt://host", "password_file": "p"}, "password_file needs a username"),
        ({"url": "mqtt://host", "username": "u", "password_file": ""}, "must be a file's path"),
        ({"url": "mqtt://host", "password": "p"}, "password: unknown key"),
    ],
)
def test_settings_that_cannot_be_used_are_told(table: dict[str, Any], why: str) -> None:
    problems = Problems()
    assert read_settings(MqttSettings, table, problems) is None
    assert why in "\n".join(problems)
    assert "secret" not in "\n".join(problems)
