from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import CommittedEvent
from devices.sim.device import DeviceClock, Placement
from devices.sim.signal.ntcip import NtcipController
from edge.clock import Clock
from edge.device.config import CommonSettings
from edge.device.supervisor import SupervisedDevice
from edge.journal.files import current_journal, ensure_born
from edge.journal.reader import JournalReader
from edge.journal.writer import JournalWriter
from edge.recorder import Recorder
from ledger_sync.proof.event import parse_event
from tests.devices.simulating import Said
from tests.edge.drivers import ScriptedDriver
from tests.edge.following import as_line, told
from tests.edge.journals import CITY, GATEWAY, SIGNER, fail_once
from tests.edge.recording import AT_ONCE, DEADLINE_S, Gate, Outcomes, recorded, tap
from tests.support.brokers import free_port
from tests.support.city_files import make_city
from tests.support.processes import start_module
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge.recorder import RecorderLimits
    from tests.support.processes import Process


@contextlib.asynccontextmanager
async def followed(
    data_dir: Path, *devices: str, limits: RecorderLimits = AT_ONCE, step: Any = lambda _: None
) -> AsyncIterator[tuple[Recorder, list[CommittedEvent]]]:
    """A recorder, and what is told of these devices."""
    heard: list[CommittedEvent] = []
    async with asyncio.timeout(DEADLINE_S):
        recorder = Recorder(JournalWriter(ensure_born(data_dir, CITY, GATEWAY), SIGNER, 3, step), Clock(), limits)
        for device in devices:
            recorder.follow(device, heard.append)
        recorder.start()
        try:
            yield recorder, heard
        finally:
            await recorder.close()


def in_journal(path: Path, *devices: str) -> list[CommittedEvent]:
    """The events of these devices as they stand in the journal."""
    with JournalReader(path) as reader:
        events = [parse_event(one.statement) for one in reader.events()]
    return [
        CommittedEvent(
            one.device, one.type, one.data, one.journal, one.sequence, one.stamp.utc_us, one.stamp.clock.error_us
        )
        for one in events
        if one.device in devices
    ]


async def test_a_follower_is_told_each_event_of_its_device_as_it_stands_in_the_journal(tmp_path: Path) -> None:
    outcomes = Outcomes()
    async with followed(tmp_path, "gate-1", limits=replace(AT_ONCE, commit_count_max=4)) as (recorder, heard):
        for number in range(20):
            # Every third is another device's; every fifth comes again, and is recorded once.
            device = "gate-2" if number % 3 == 0 else "gate-1"
            await recorder.record(device, tap(str(number - number % 5 // 4), f"{number // 5:x}"), outcomes)
        await outcomes.wait(20)
        await until(lambda: len(heard) == len(in_journal(current_journal(tmp_path), "gate-1")))
    assert heard == in_journal(current_journal(tmp_path), "gate-1")
    assert 5 < len(heard) < 14


async def test_nothing_is_told_before_it_is_durable(tmp_path: Path) -> None:
    gate = Gate("journal.inserted")
    async with followed(tmp_path, "gate-1", step=gate) as (recorder, heard):
        await recorder.record("gate-1", tap())
        await gate.wait()
        await asyncio.sleep(0.05)  # the commit hangs: whatever could come too early has time to come
        assert (heard, recorded(tmp_path)) == ([], [])
        gate.open()
        await until(lambda: heard)


async def test_the_gateways_word_of_a_device_and_its_own_are_told_too_but_no_passport_twice(tmp_path: Path) -> None:
    async with followed(tmp_path, "gate-1", "gw-1") as (recorder, heard):
        await recorder.record_own("gw-1", "gateway.clock", {"step_us": -5_000_000})
        for place in ("north", "north", "south"):
            await recorder.record_about("gate-1", "device.passport", {"place": place})
        await recorder.record_about("gate-1", "device.health", {"state": "offline", "reason": "gone"})
        await until(lambda: len(heard) == 4)
    assert [(one.sequence, one.type) for one in heard] == [
        (1, "gateway.clock"),
        (2, "device.passport"),
        (3, "device.passport"),
        (4, "device.health"),
    ]
    assert heard == in_journal(current_journal(tmp_path), "gate-1", "gw-1")


@pytest.mark.parametrize(("stage", "outcome"), [("BEGIN IMMEDIATE", "lost"), ("COMMIT", "lost"), ("COMMIT", "landed")])
async def test_what_a_commit_of_unknown_outcome_did_is_told_once(tmp_path: Path, stage: str, outcome: str) -> None:
    async with followed(tmp_path, "gate-1", limits=replace(AT_ONCE, commit_age_max_s=0.05)) as (recorder, heard):
        outcomes = Outcomes()
        await recorder.record("gate-1", tap("0"), outcomes)
        await outcomes.wait(1)
        failed = fail_once(recorder._journal, stage, has_landed=outcome == "landed")
        for reading in (tap("1"), tap("0"), tap("2")):
            await recorder.record("gate-1", reading, outcomes)
        await recorder.keep_answer(1, b"", None)
        await outcomes.wait(4)
        await recorder.record("gate-1", tap("3"), outcomes)
        await until(lambda: len(heard) >= 4)
        assert failed == [stage]
    assert heard == in_journal(current_journal(tmp_path), "gate-1")
    assert [one.sequence for one in heard] == [1, 2, 3, 4]


async def test_a_driver_that_fails_to_follow_is_told_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(ScriptedDriver):
        @staticmethod
        def follows(settings: Any) -> str | None:
            return None if settings is None else "signal-1"

        def follow(self, event: CommittedEvent) -> None:
            raise ValueError(event.device)

    device = SupervisedDevice(CommonSettings("camera-1", "camera"), Failing([]), "gw-1")
    device.follow(CommittedEvent("signal-1", "signal.phase", {}, bytes(16), 1, 0, None))
    (record,) = [one for one in caplog.records if one.message == "driver failed to follow"]
    assert record.device == "camera-1"  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def controller(folder: Path) -> AsyncIterator[dict[str, Any]]:
    """A simulated signal controller with a change every 20 ms; gives the keys by which it is read."""
    device = NtcipController(Placement("signal-1", 1, folder, 0.4, DeviceClock(scale=20.0)), Said().truth)
    await device.start()
    task = asyncio.create_task(device.run())
    try:
        yield device.settings() | {"poll_ms": 50}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def device_table(name: str, keys: dict[str, Any]) -> str:
    rows = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return f'[[device]]\nid = "{name}"\n{rows}'


async def start_gateway(config: Path, kill_at: str = "") -> Process:
    return await start_module("tests.edge.following", config, "--kill-at", kill_at, name="gateway")


async def test_a_gateways_follower_is_told_what_is_committed_and_nothing_else_also_after_kills(tmp_path: Path) -> None:
    follower = device_table("camera-1", {"driver": "follower", "signal": "signal-1", "told": "told.jsonl"})
    path = tmp_path / "told.jsonl"
    async with controller(tmp_path) as keys:
        files = make_city(tmp_path, free_port(), devices={})
        files.gateway_config.write_text(files.gateway_config.read_text() + device_table("signal-1", keys) + follower)
        begins = []
        for kill_at in ("journal.committed:20", "journal.inserted:20"):
            begins.append(len(told(path)))
            gateway = await start_gateway(files.gateway_config, kill_at)
            assert await gateway.wait() == -9, gateway.log_tail()
        begins.append(len(told(path)))
        gateway = await start_gateway(files.gateway_config)
        await until(lambda: len(told(path)) >= begins[-1] + 30, "30 events were told")
        gateway.terminate()
        assert await gateway.wait() == 0
    committed = [json.loads(json.dumps(as_line(one))) for one in in_journal(files.journal, "signal-1", "gw-1")]
    heard = told(path)
    # What was committed just before a kill is told nobody, as nobody is there; else every event is, once and in order.
    runs = [heard[begin:end] for begin, end in zip(begins, [*begins[1:], None], strict=True)]
    for run in runs:
        first = committed.index(run[0])
        assert run == committed[first : first + len(run)]
        assert run[0]["type"] == "gateway.start"
    assert heard[-1]["type"] == "gateway.stop"
    assert heard[-1] == committed[-1]
    assert {one["type"] for one in heard} >= {"signal.phase", "device.health", "gateway.start"}
