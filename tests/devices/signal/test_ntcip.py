from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import DeviceError, Origin, WireCounters, WireRole
from devices.signal import ntcip
from devices.signal.ntcip import Ntcip, NtcipSettings
from devices.signal.ntcip_phases import SYS_UP_TIME, StatusColumn
from devices.signal.ntcip_udp import parse_udp_url
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.signal.snmp_library import LibraryAgent, read_request, write_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devices.driver import Reading

C = StatusColumn
SECRET = "s3cret-community"


def objects(groups: int = 1, up_time: int = 5000, **bits: int) -> dict[str, int]:
    """What a controller holds; bits of group 1 by the column's name."""
    held = {f"{column}.{group}": 0 for column in StatusColumn for group in range(1, groups + 1)}
    return held | {SYS_UP_TIME: up_time} | {f"{StatusColumn[name.upper()]}.1": value for name, value in bits.items()}


@pytest.fixture
async def agent() -> AsyncIterator[LibraryAgent]:
    agent = LibraryAgent()
    agent.objects = objects(reds=0b1)
    await agent.start()
    yield agent
    agent.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ntcip, "ANSWER_DEADLINE_S", 0.15)


def make(agent: LibraryAgent, **keys: Any) -> Ntcip:
    keys = {"port": agent.url, "groups": 1, "poll_ms": 50, **keys}
    return Ntcip("signal-1", NtcipSettings(**keys))


async def told(driver: Ntcip, count: int, during: Any = lambda: None) -> list[Reading]:
    readings = await take(driver, count, during=during)
    for reading in readings:
        event_type(reading.type).check(reading.data)
        assert_plain(reading.data)
    return readings


def sent(agent: LibraryAgent, index: int = -1) -> tuple[str, bytes, str, int, list[str]]:
    return read_request(agent.received[index])


async def test_the_state_of_each_phase_is_told_when_it_opens_and_then_its_changes(agent: LibraryAgent) -> None:
    agent.objects = objects(reds=0b1, greens=0b10, walks=0b10)
    driver = make(agent)
    await driver.open()
    readings = await told(driver, 3)
    assert [(one.data["group"], one.data["kind"], one.data["state"], one.data["cause"]) for one in readings] == [
        (1, "vehicle", "red", "opening"),
        (2, "vehicle", "green", "opening"),
        (2, "pedestrian", "walk", "opening"),
    ]
    await driver.close()
    await driver.open()

    def turn_yellow() -> None:
        agent.objects = objects(reds=0b1, yellows=0b10, walks=0b10)

    asyncio.get_running_loop().call_later(0.12, turn_yellow)
    *_, change = await told(driver, 4)
    assert change.type == "signal.phase"
    assert change.origin is Origin.UNPROTECTED
    assert change.id is None
    resolution_ms = change.data["resolution_ms"]
    assert change.data == {
        "controller": "signal-1",
        "group": 2,
        "kind": "vehicle",
        "state": "yellow",
        "start_time": None,
        "source": "poll",
        "resolution_ms": resolution_ms,
        "cause": "change",
    }
    assert 50 <= resolution_ms < 1000
    assert driver.counters == WireCounters(readings=7)
    await driver.close()


async def test_one_get_asks_for_all_columns_of_all_groups(agent: LibraryAgent) -> None:
    agent.objects = objects(groups=4, reds=1)
    for version in ("1", "2c"):
        driver = make(agent, groups=4, snmp_version=version)
        await driver.open()
        asked = sent(agent)
        assert asked[0] == version
        assert asked[1] == b"public"
        assert asked[4] == [SYS_UP_TIME, *(f"{column}.{group}" for group in range(1, 5) for column in C)]
        assert driver.counters == WireCounters()
        await driver.close()


async def test_a_change_after_a_lost_answer_is_as_uncertain_as_the_time_between_the_answers(
    agent: LibraryAgent,
) -> None:
    driver = make(agent)
    await driver.open()

    def lose_one_and_change() -> None:
        agent.silent = 1
        agent.objects = objects(greens=0b1)

    *_, change = await told(driver, 2, lose_one_and_change)
    assert change.data["state"] == "green"
    assert change.data["resolution_ms"] >= 200
    assert driver.counters.errors == 1
    assert "no answer" in driver.counters.last_error
    await driver.close()


async def test_the_time_that_question_and_answer_take_is_part_of_the_uncertainty(agent: LibraryAgent) -> None:
    agent.late_s = 0.1
    driver = make(agent)
    await driver.open()

    def change() -> None:
        agent.objects = objects(greens=0b1)

    assert (await told(driver, 2, change))[1].data["resolution_ms"] >= 200
    await driver.close()


async def test_a_change_that_had_to_wait_for_its_reader_says_so(agent: LibraryAgent) -> None:
    agent.objects = objects(reds=0b11)
    driver = make(agent)
    await driver.open()
    readings = driver.readings()
    first = await anext(readings)
    await asyncio.sleep(0.3)
    second = await anext(readings)
    assert first.data["resolution_ms"] < 300 <= second.data["resolution_ms"]
    await driver.close()


@pytest.mark.parametrize("version", ["1", "2c"])
async def test_opening_does_not_wait_for_the_poll_interval_at_each_object_that_is_missing(
    agent: LibraryAgent, version: str
) -> None:
    driver = make(agent, groups=2, poll_ms=60_000, snmp_version=version)
    async with asyncio.timeout(2):
        await driver.open()
    assert driver.counters.errors == len(StatusColumn)
    await driver.close()


async def test_a_slow_interval_does_not_delay_the_word_that_nobody_answers_at_the_opening(agent: LibraryAgent) -> None:
    agent.silent = 99
    async with asyncio.timeout(2):
        with pytest.raises(DeviceError, match="3 polls in a row failed"):
            await make(agent, poll_ms=60_000).open()


async def test_an_agent_that_is_gone_is_a_device_error_after_three_polls(agent: LibraryAgent) -> None:
    driver = make(agent)
    await driver.open()
    agent.silent = 99
    with pytest.raises(DeviceError, match=rf"{agent.url}: 3 polls in a row failed.*no answer") as raised:
        await told(driver, 2)
    assert "community" in str(raised.value)
    assert driver.counters.errors == 3
    await driver.close()


async def test_a_host_that_refuses_is_a_device_error_at_open_that_names_it(agent: LibraryAgent) -> None:
    agent.stop()
    await asyncio.sleep(0)
    driver = make(agent)
    with pytest.raises(DeviceError, match=rf"{agent.url}: .*refused"):
        await driver.open()
    with pytest.raises(DeviceError, match="not open"):
        await told(driver, 1)


async def test_a_name_that_does_not_exist_is_a_device_error() -> None:
    driver = Ntcip("signal-1", NtcipSettings(port="udp://no-such-host.invalid"))
    with pytest.raises(DeviceError, match=r"udp://no-such-host.invalid: cannot be reached"):
        await driver.open()


@pytest.mark.parametrize("version", ["1", "2c"])
async def test_a_missing_column_is_named_counted_once_and_asked_for_no_more(agent: LibraryAgent, version: str) -> None:
    agent.objects = objects(greens=0b1, walks=0b1)
    del agent.objects[f"{C.PED_CLEARS}.1"]
    driver = make(agent, snmp_version=version)
    await driver.open()
    assert driver.counters.errors == 1
    assert "no phase status group 1 ped_clears" in driver.counters.last_error

    def end_walk() -> None:
        agent.objects[f"{C.WALKS}.1"] = 0

    *_, change = await told(driver, 3, end_walk)
    assert (change.data["kind"], change.data["state"]) == ("pedestrian", "unknown")
    assert f"{C.PED_CLEARS}.1" not in sent(agent)[4]
    assert driver.counters.errors == 1
    await driver.close()


@pytest.mark.parametrize("version", ["1", "2c"])
async def test_a_controller_without_uptime_is_read_all_the_same(agent: LibraryAgent, version: str) -> None:
    del agent.objects[SYS_UP_TIME]
    driver = make(agent, snmp_version=version)
    await driver.open()
    assert "sysUpTime" in driver.counters.last_error
    assert (await told(driver, 1))[0].data["state"] == "red"
    await driver.close()


@pytest.mark.parametrize("version", ["1", "2c"])
async def test_a_controller_without_phase_groups_is_a_device_error(agent: LibraryAgent, version: str) -> None:
    agent.objects = {SYS_UP_TIME: 7}
    with pytest.raises(DeviceError, match="has no phase status groups"):
        await make(agent, snmp_version=version).open()


async def test_a_restart_of_the_controller_is_told_and_its_state_is_read_anew(agent: LibraryAgent) -> None:
    agent.objects = objects(reds=0b1, up_time=360_000)
    driver = make(agent)
    await driver.open()

    def restart() -> None:
        agent.objects = objects(reds=0b1, up_time=300)

    with pytest.raises(DeviceError, match="the controller restarted 3 s ago, having run for 3600 s"):
        await told(driver, 2, restart)
    await driver.close()
    await driver.open()
    (reading,) = await told(driver, 1)
    assert (reading.data["state"], reading.data["cause"]) == ("red", "opening")
    await driver.close()


async def test_an_uptime_that_begins_anew_after_497_days_is_no_restart(agent: LibraryAgent) -> None:
    agent.objects = objects(reds=0b1, up_time=(1 << 32) - 3)
    driver = make(agent)
    await driver.open()

    def wrap() -> None:
        agent.objects = objects(greens=0b1, up_time=2)

    assert (await told(driver, 2, wrap))[1].data["state"] == "green"
    await driver.close()


async def test_garbage_and_late_answers_are_counted_and_the_next_answer_counts(agent: LibraryAgent) -> None:
    driver = make(agent)
    await driver.open()
    stale = agent.answer(agent.received[-1])
    agent.objects = objects(greens=0b1)
    agent.replies = [b"\x30\x82garbage", stale]
    *_, change = await told(driver, 2)
    assert change.data["state"] == "green"
    # Each of the two took the place of an answer, which was then missed.
    assert driver.counters.errors == 4
    await driver.close()


async def test_an_answer_about_other_objects_or_with_other_values_is_not_believed(agent: LibraryAgent) -> None:
    held = objects(greens=0b1)
    for wrong in ({f"{C.GREENS}.1": 256}, {f"{C.GREENS}.1": -1}):
        driver = make(agent)
        agent.objects = held | wrong
        with pytest.raises(DeviceError, match="group 1 greens is no number from 0 to 255"):
            await driver.open()
    agent.objects = held
    driver = make(agent)
    await driver.open()
    agent.objects = objects(reds=0b1)
    request_id = sent(agent)[3] + 1
    agent.replies = [write_answer("1", request_id, [(f"{C.GREENS}.2", 1)])]
    assert (await told(driver, 2))[1].data["state"] == "red"
    assert driver.counters.errors == 1
    assert "other objects" in driver.counters.last_error
    await driver.close()


async def test_an_answer_too_big_for_the_controller_says_what_to_lower(agent: LibraryAgent) -> None:
    driver = make(agent)
    await driver.open()
    agent.replies = [write_answer("1", sent(agent)[3] + 1, [], error=1)]
    with pytest.raises(DeviceError, match="lower `groups`"):
        await told(driver, 2)
    await driver.close()


async def test_the_community_comes_from_its_file_and_shows_nowhere_else(agent: LibraryAgent, tmp_path: Path) -> None:
    path = tmp_path / "community"
    path.write_text(SECRET + "\n")
    driver = make(agent, community_file=path)
    await driver.open()
    assert sent(agent)[1] == SECRET.encode()
    agent.silent = 99
    with pytest.raises(DeviceError) as raised:
        await told(driver, 2)
    for text in (str(raised.value), driver.counters.last_error, repr(driver._settings)):
        assert SECRET not in text
    await driver.close()


@pytest.mark.parametrize(("content", "why"), [(None, "cannot be read"), (b"", "one line"), (b"x" * 65, "one line")])
async def test_a_community_file_of_no_use_is_a_device_error_that_names_it(
    agent: LibraryAgent, tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "community"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeviceError, match=f"community_file {path}: .*{why}"):
        await make(agent, community_file=path).open()
    assert agent.received == []


@settings(max_examples=20, deadline=None)
@given(
    version=st.sampled_from(["1", "2c"]),
    groups=st.integers(1, 4),
    community=st.binary(min_size=1, max_size=64).filter(lambda one: not one.endswith((b"\r", b"\n"))),
    missing=st.sets(st.integers(0, 24), max_size=20),
    replies=st.lists(st.binary(max_size=60), max_size=2),
)
def test_nothing_but_gets_ever_leaves(
    version: str,
    groups: int,
    community: bytes,
    missing: set[int],
    replies: list[bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("community") / "file"
    path.write_bytes(community)

    async def drive() -> list[bytes]:
        agent = LibraryAgent()
        await agent.start()
        held = objects(groups=groups, reds=0b1)
        agent.objects = {oid: held[oid] for index, oid in enumerate(held) if index not in missing}
        agent.replies = list(replies)
        keys = {"snmp_version": version, "groups": groups, "community_file": path}
        driver = Ntcip("signal-1", NtcipSettings(port=agent.url, **keys))  # type: ignore[arg-type]
        driver._settings.__dict__["poll_ms"] = 1
        try:
            await driver.open()
            async with asyncio.timeout(0.01):
                await told(driver, 99)
        except (DeviceError, TimeoutError):
            pass
        await driver.close()
        agent.stop()
        return agent.received

    received = asyncio.run(drive())
    assert received
    for datagram in received:
        assert read_request(datagram)[:3] == (version, community, "GetRequestPDU")


async def test_making_a_driver_touches_nothing_and_closing_frees_everything(agent: LibraryAgent) -> None:
    before = open_files()
    driver = make(agent, community_file=Path("/nowhere/community"))
    assert open_files() == before
    assert driver.counters == WireCounters()
    assert driver.wire_role is WireRole.SHARED
    driver = make(agent)
    await driver.close()
    await driver.open()
    await driver.open()
    await driver.close()
    await driver.close()
    await asyncio.sleep(0.01)
    assert open_files() == before


async def test_cancelling_the_reader_leaves_a_driver_that_closes_and_opens(agent: LibraryAgent) -> None:
    driver = make(agent)
    await driver.open()
    task = asyncio.create_task(told(driver, 99))
    await asyncio.sleep(0.12)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await driver.close()
    await driver.open()
    assert await told(driver, 1)
    await driver.close()


async def test_what_others_send_never_arrives_and_a_flood_is_bounded(agent: LibraryAgent) -> None:
    driver = make(agent)
    await driver.open()
    transport = driver._link._transport
    assert transport is not None
    port = transport.get_extra_info("sockname")[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(100):
            stranger.sendto(os.urandom(50), ("127.0.0.1", port))
    for _ in range(100):
        agent.datagram_received(agent.received[0], ("127.0.0.1", port))
    await asyncio.sleep(0.02)
    assert driver._link._received.qsize() <= 16
    assert driver.counters.bytes_dropped > 0
    assert await told(driver, 1)
    await driver.close()


async def test_ten_polls_a_second_leave_the_processor_alone(agent: LibraryAgent) -> None:
    """Only a coarse bound: the agent in this process costs far more than the driver."""
    agent.objects = objects(groups=2, reds=0b1)
    driver = make(agent, groups=2)
    answer_at = agent.answer
    costs: list[float] = []

    def measured(datagram: bytes) -> bytes:
        began = time.process_time()
        answered = answer_at(datagram)
        costs.append(time.process_time() - began)
        return answered

    agent.answer = measured  # type: ignore[method-assign]
    began = time.process_time()
    await driver.open()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await told(driver, 99)
    spent = time.process_time() - began - sum(costs)
    assert spent / len(costs) < 0.003
    await driver.close()


@pytest.mark.parametrize(
    "port",
    [
        "",
        "192.0.2.7",
        "udp://",
        "udp://host:0",
        "udp://host:99999",
        "tcp://host:161",
        "udp://public@host",
        "udp://a..b",
    ],
)
def test_a_port_that_cannot_be_used_is_told_by_the_settings(port: str) -> None:
    problems = Problems()
    assert read_settings(NtcipSettings, {"port": port}, problems) is None
    assert problems[0].startswith("port: is ")


def test_a_port_without_number_is_161_and_the_defaults_are_a_pair_of_groups_at_10_hz() -> None:
    read = read_settings(NtcipSettings, {"port": "udp://192.0.2.7", "community_file": "secret"}, Problems())
    assert read == NtcipSettings(
        port="udp://192.0.2.7", snmp_version="1", community_file=Path("secret"), groups=2, poll_ms=100
    )
    assert parse_udp_url("udp://192.0.2.7") == ("192.0.2.7", 161)
    assert parse_udp_url("udp://[2001:db8::7]:501") == ("2001:db8::7", 501)
