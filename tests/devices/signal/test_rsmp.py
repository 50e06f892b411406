"""The driver against a simulated site, over TCP: as its supervisor, and listening between it and its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import Answering, DeviceError, Origin, Recorded, Refused, WireCounters, WireRole
from devices.signal import rsmp_proxy_link, rsmp_supervisor_link
from devices.signal.rsmp import Rsmp, RsmpSettings
from devices.sim.device import Placement
from devices.sim.faults import FaultRates
from devices.sim.signal.rsmp import RsmpSite
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.signal.rsmp_relays import RelayProcess, short_folder
from tests.devices.simulating import Said, as_told
from tests.support.brokers import free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from devices.driver import Reading

__all__ = ["short_folder"]

INTERVAL_S = 0.01


Readings = dict[str | None, "Reading"]


class Site:
    """A simulated site that runs, and the driver that reads it."""

    def __init__(self, folder: Path, *, faults: FaultRates | None = None, **options: Any) -> None:
        self.said = Said()
        options = {"reconnect_s": 0.05, "port": free_port(), **options}
        placement = Placement(
            "signal-1", 7, folder, interval_s=INTERVAL_S, faults=faults or FaultRates(), options=options
        )
        self.device = RsmpSite(placement, self.said.truth)
        self._folder = folder

    async def driver(self, **changes: Any) -> Rsmp:
        if self.device.supervisor is None or not self.device.supervisor.port:
            await self.device.start()
        table = {key: one for key, one in self.device.settings().items() if key != "driver"}
        problems = Problems()
        settings = read_settings(RsmpSettings, table | changes, problems)
        assert settings is not None, problems
        return Rsmp("signal-1", settings)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.device.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            if self.device.supervisor is not None:
                relay = RelayProcess(self._folder, self.device.supervisor.port)
                await relay.end()


async def record(driver: Rsmp, count: int, into: Readings) -> None:
    """Record as the gateway does, each id once, and answer, until there are `count` readings."""
    async with asyncio.timeout(20):
        while len(into) < count:
            with suppress(DeviceError):
                await driver.open()
                async with aclosing(cast("AsyncGenerator[Reading]", driver.readings())) as readings:
                    async for reading in readings:
                        into.setdefault(reading.id, reading)
                        await driver.answer(reading, Recorded())
                        if len(into) >= count:
                            break
            await driver.close()


def matches(row: dict[str, Any], reading: Reading) -> bool:
    told = as_told(reading)
    return (
        row["type"] == reading.type
        and row["data"].keys() == told.keys()
        and all(one in ("*", told[key]) for key, one in row["data"].items())
    )


def assert_true_once(readings: Readings, said: Said) -> None:
    """What the site knows to be recorded is there, once but for openings, and nothing that it did not say."""
    rows = list(said.rows().values())
    for row in rows:
        if row["sure"]:
            found = [one.data.get("cause") for one in readings.values() if matches(row, one)]
            assert found, f"missing: {row['data']}"
            assert len(found) - found.count("opening") <= 1
    for reading in readings.values():
        assert any(matches(row, reading) for row in rows), reading


def test_making_a_driver_touches_nothing() -> None:
    before = open_files()
    driver = Rsmp("signal-1", RsmpSettings("tcp://127.0.0.1:12111"))
    assert open_files() == before
    assert driver.counters == WireCounters()
    assert isinstance(driver, Answering)


def test_its_role_on_the_wire_is_by_its_settings(tmp_path: Path) -> None:
    assert Rsmp("s", RsmpSettings("tcp://0.0.0.0:12111")).wire_role is WireRole.SOLE_MASTER
    listening = RsmpSettings("tcp://0.0.0.0:12111", "tcp://192.0.2.1:12111", tmp_path / "relay")
    assert Rsmp("s", listening).wire_role is WireRole.LISTEN_ONLY


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"port": "0.0.0.0:12111"}, "must look like tcp://"),
        ({"port": "tcp://0.0.0.0:1", "supervisor": "nowhere", "relay_socket": "r"}, "must look like tcp://"),
        ({"port": "tcp://0.0.0.0:1", "supervisor": "tcp://192.0.2.1:1"}, "relay_socket go together"),
        ({"port": "tcp://0.0.0.0:1", "relay_socket": "r"}, "relay_socket go together"),
        (
            {"port": "tcp://0.0.0.0:1", "supervisor": "tcp://h:1", "relay_socket": "r", "component": "c"},
            "subscribes to nothing",
        ),
        ({"port": "tcp://0.0.0.0:1", "relay_socket": ""}, "must be a file's path"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(table: dict[str, Any], why: str) -> None:
    problems = Problems()
    assert read_settings(RsmpSettings, table, problems) is None
    assert why in problems[0]


@pytest.mark.parametrize("proxied", [False, True])
async def test_what_the_site_says_is_read_once_with_its_values(short_folder: Path, *, proxied: bool) -> None:
    site, readings = Site(short_folder, proxied=proxied), Readings()
    driver = await site.driver()
    async with site.running():
        await record(driver, 150, readings)
    assert {one.type for one in readings.values()} == {"signal.phase", "signal.alarm"}
    assert {one.origin for one in readings.values()} == {Origin.UNPROTECTED}
    assert driver.counters.errors == 0
    assert driver.counters.readings == 150
    for reading in readings.values():
        assert_plain(reading.data)
    phases = [one for one in readings.values() if one.type == "signal.phase"]
    assert {one.data["resolution_ms"] for one in phases} == {0}
    if not proxied:
        assert_true_once(readings, site.said)
        assert site.said.sure() >= 50


async def test_through_cuts_noise_and_truncation_nothing_that_was_acknowledged_is_lost(short_folder: Path) -> None:
    faults = FaultRates(noise=0.1, truncate=0.03, unplug=0.03, slow_s=0.002)
    site, readings = Site(short_folder, faults=faults), Readings()
    driver = await site.driver()
    async with site.running():
        await record(driver, 200, readings)
    assert site.device.connections > 3
    assert driver.counters.errors > 0
    assert driver.counters.last_error
    assert_true_once(readings, site.said)
    assert site.said.sure() >= 50


async def test_what_changed_while_the_link_was_down_is_told_with_its_own_time(short_folder: Path) -> None:
    site, before, after = Site(short_folder), Readings(), Readings()
    driver = await site.driver()
    async with site.running():
        await record(driver, 60, before)
        down_since = len(site.device.outbox._kept)
        await until(lambda: len(site.device.outbox._kept) > down_since + 20, "the site keeps statuses")
        await record(driver, 120, after)
    sent = b"".join(site.device.wire.sent)
    assert b'"q": "old"' in sent
    known = {**before, **after}
    assert_true_once(known, site.said)
    times = [one.data["start_time"] for one in known.values() if one.data.get("cause") == "change"]
    changed = {row["data"]["start_time"] for row in site.said.rows().values() if row["sure"] and "group" in row["data"]}
    assert len(changed & set(times)) > 20


async def test_a_message_is_acknowledged_only_once_its_readings_are_answered(short_folder: Path) -> None:
    site = Site(short_folder)
    driver = await site.driver()
    async with site.running():
        await driver.open()
        (alarm,) = await take(driver, 1)
        assert site.said.sure() == 0
        waiting = site.device.outbox.unacknowledged
        await driver.answer(alarm, Refused("the journal is full"))
        await until(lambda: any(b"the journal is full" in one for one in site.device.wire.received), "it is told")
        assert waiting > 0
        await driver.close()


async def test_a_site_of_another_version_is_refused_with_the_reason(short_folder: Path) -> None:
    site = Site(short_folder, versions=["9.9.9"])
    driver = await site.driver()
    async with site.running():
        with pytest.raises(DeviceError, match=r"RSMP versions \[9.9.9\] requested"):
            await driver.open()
        await until(lambda: any(b"MessageNotAck" in one for one in site.device.wire.received), "the site is told")
        await driver.close()


async def test_a_site_that_stops_answering_is_a_device_error(short_folder: Path) -> None:
    site = Site(short_folder, faults=FaultRates(slow_s=30))
    driver = await site.driver(ack_timeout_s=0.2)
    async with site.running():
        with pytest.raises(DeviceError, match=r"has not acknowledged a Version within 0\.2 s"):
            await driver.open()
        await driver.close()


async def test_no_site_at_all_is_a_device_error_that_names_the_port(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rsmp_supervisor_link, "SITE_DEADLINE_S", 0.1)
    driver = await Site(short_folder).driver()
    with pytest.raises(DeviceError, match=r"tcp://127\.0\.0\.1:.* no site has connected"):
        await driver.open()
    await driver.close()


async def test_a_port_that_is_taken_is_a_device_error_that_names_it() -> None:
    port = free_port()
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    driver = Rsmp("signal-1", RsmpSettings(f"tcp://127.0.0.1:{port}"))
    with pytest.raises(DeviceError, match=f"tcp://127.0.0.1:{port}: cannot listen there"):
        await driver.open()
    server.close()


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_site_that_goes_is_a_device_error_and_comes_back_on_the_same_driver(
    short_folder: Path, *, proxied: bool
) -> None:
    site = Site(short_folder, proxied=proxied)
    driver = await site.driver()
    async with site.running():
        await driver.open()
        assert await take(driver, 3)
    with pytest.raises(DeviceError, match=r"tcp://127\.0\.0\.1:"):
        await take(driver, 10_000)
    await driver.close()
    again = Site(short_folder, proxied=proxied, port=site.device._port)
    if again.device.supervisor is not None:
        driver = await again.driver()
    async with again.running():
        await driver.open()
        assert await take(driver, 3)
        await driver.close()
        await driver.close()


async def test_closing_frees_the_port(short_folder: Path) -> None:
    site = Site(short_folder)
    driver, other = await site.driver(), await site.driver()
    await driver.close()
    async with site.running():
        await driver.open()
        await driver.close()
        await other.open()
        await other.close()


async def test_cancelling_the_reader_leaves_a_driver_that_closes_and_opens(short_folder: Path) -> None:
    site = Site(short_folder)
    driver = await site.driver()
    opening = asyncio.create_task(driver.open())
    await asyncio.sleep(0.01)
    opening.cancel()
    with suppress(asyncio.CancelledError):
        await opening
    async with site.running():
        await driver.open()
        reading = asyncio.create_task(take(driver, 10_000))
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await driver.close()
        await driver.open()
        assert await take(driver, 1)
        await driver.close()


async def test_garbage_from_a_stranger_is_counted_and_raises_nothing_but_device_errors(short_folder: Path) -> None:
    driver = await Site(short_folder).driver()

    async def shout() -> None:
        port = int(driver._link._line.port.rpartition(":")[2])
        writer = None
        async with asyncio.timeout(10):
            while writer is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.sleep(0.01)
        writer.write(b"\f\xff" + bytes(100_000) + b"\f[]\f{}\f\x00\f")
        await writer.drain()
        writer.close()

    shouting = asyncio.create_task(shout())
    with pytest.raises(DeviceError):
        await driver.open()
    await shouting
    await driver.close()
    assert driver.counters.errors > 3
    assert driver.counters.resyncs > 0
    assert driver.counters.bytes_dropped > 0


async def test_a_killed_relay_is_a_device_error_and_a_new_one_brings_the_site_back(short_folder: Path) -> None:
    site = Site(short_folder, proxied=True)
    driver = await site.driver()
    async with site.running():
        await driver.open()
        assert await take(driver, 3)
        supervisor = site.device.supervisor
        assert supervisor is not None
        relay = RelayProcess(short_folder, supervisor.port)
        await driver.close()
        await relay.end()
        updates = supervisor.updates
        await driver.open()
        assert await take(driver, 3)
        await until(lambda: supervisor.updates > updates, "the site talks to its supervisor again", 10)
        await driver.close()


async def test_without_its_supervisor_the_site_is_turned_away_and_the_reason_told(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(short_folder, proxied=True)
    monkeypatch.setattr(rsmp_proxy_link, "SITE_DEADLINE_S", 5)
    driver = await site.driver()
    supervisor = site.device.supervisor
    assert supervisor is not None
    await supervisor.close()
    async with site.running():
        await driver.open()
        with pytest.raises(DeviceError, match="supervisor cannot be reached"):
            await take(driver, 1)
        await driver.close()


async def test_the_listener_sends_nothing_to_anyone(short_folder: Path) -> None:
    site, readings = Site(short_folder, proxied=True), Readings()
    driver = await site.driver()
    async with site.running():
        await record(driver, 50, readings)
        supervisor = site.device.supervisor
        assert supervisor is not None
        await until(lambda: supervisor.wire.received and supervisor.wire.received[-1] in site.device.wire.sent)
        assert list(supervisor.wire.received) == list(site.device.wire.sent)[: len(supervisor.wire.received)]
        assert list(site.device.wire.received) == list(supervisor.wire.sent)[: len(site.device.wire.received)]
