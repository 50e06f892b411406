from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import DeviceError, Origin, Reading, Recorded, Refused
from edge import supervisor
from edge.supervisor import SupervisedDevice, supervise
from tests.edge.drivers import FOREVER, AnsweringDriver, ScriptedDriver
from tests.edge.recording import Gate, recorded, recording, tap
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge.recorder import Recorder

LOST = DeviceError("port: the wire is lost; plug it in")


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.001)
    monkeypatch.setattr(supervisor, "BACKOFF_MAX_S", 0.01)
    monkeypatch.setattr(supervisor, "CLOSE_MAX_S", 0.05)


def device(driver: ScriptedDriver, name: str = "gate-1") -> SupervisedDevice:
    return SupervisedDevice(name, "scripted", driver)


@contextlib.asynccontextmanager
async def supervised(recorder: Recorder, *devices: SupervisedDevice) -> AsyncIterator[None]:
    task = asyncio.create_task(supervise(devices, recorder))
    try:
        yield
        assert not task.done(), "the supervisor runs until it is cancelled"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def health(data_dir: Path, name: str = "gate-1") -> list[dict[str, Any]]:
    return [event.data for event in recorded(data_dir) if (event.device, event.type) == (name, "device.health")]


async def test_readings_are_recorded_in_their_order_after_the_device_is_online(tmp_path: Path) -> None:
    the_device = device(ScriptedDriver([tap(token="1"), tap(token="2"), FOREVER]))
    async with recording(tmp_path) as recorder, supervised(recorder, the_device):
        await until(lambda: recorder.recorded_count == 3)
        assert the_device.online
        assert the_device.last_reading_at is not None
    assert [event.type for event in recorded(tmp_path)] == ["device.health", "fare.tap", "fare.tap"]
    assert health(tmp_path) == [{"state": "online", "errors": 0, "resyncs": 0, "bytes_dropped": 0}]


FAILURES = [
    ([LOST], LOST.args[0]),
    ([tap(), LOST], LOST.args[0]),
    ([ValueError("a defect")], "driver scripted failed (ValueError); see the log"),
    ([tap(), ZeroDivisionError()], "driver scripted failed (ZeroDivisionError); see the log"),
    ([tap(), ExceptionGroup("several", [ValueError()])], "driver scripted failed (ExceptionGroup); see the log"),
    ([tap()], "the driver ended by itself"),
    ([], "the driver ended by itself"),
]


@pytest.mark.parametrize(("script", "reason"), FAILURES)
async def test_whatever_a_driver_does_it_is_closed_told_once_and_opened_again(
    tmp_path: Path, script: list[object], reason: str
) -> None:
    driver = ScriptedDriver(script, script, script, [tap(token="back"), FOREVER])
    the_device = device(driver)
    async with recording(tmp_path) as recorder, supervised(recorder, the_device):
        await until(lambda: driver.opened == 4 and the_device.online)
        assert driver.closed == 3
        assert the_device.reason == ""
        await until(lambda: any(one.type == "fare.tap" and one.data["token"] == "back" for one in recorded(tmp_path)))
    states = [(one["state"], one.get("reason")) for one in health(tmp_path)]
    assert states[-1] == ("online", None)
    assert {one for one in states if one[0] == "offline"} == {("offline", reason)}
    assert all(first[0] != second[0] for first, second in itertools.pairwise(states)), "changes only"


async def test_a_device_that_stays_broken_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    driver = ScriptedDriver([LOST])
    the_device = device(driver)
    with caplog.at_level(logging.INFO):
        async with recording(tmp_path) as recorder, supervised(recorder, the_device):
            await until(lambda: driver.opened >= 10)
    assert [one["state"] for one in health(tmp_path)] == ["offline"]
    assert [record.message for record in caplog.records].count("device offline") == 1
    assert the_device.online is False
    assert the_device.reason == LOST.args[0]


async def test_a_defect_is_logged_with_its_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    driver = ScriptedDriver([ValueError("a defect")], [FOREVER])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: driver.opened == 2)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a defect"


async def test_one_devices_faults_are_not_anothers(tmp_path: Path) -> None:
    broken = AnsweringDriver([tap("1"), tap("2"), ValueError("a defect")])
    broken.close_error = RuntimeError("cannot even close")
    broken.answer_errors = [RuntimeError("cannot even answer")]
    hanging = ScriptedDriver([tap(), LOST])
    hanging.closes_for_ever = True
    sound = AnsweringDriver([tap("1"), tap("2"), FOREVER])
    devices = (device(broken, "broken"), device(hanging, "hanging"), device(sound, "sound"))
    async with recording(tmp_path) as recorder, supervised(recorder, *devices):
        await until(lambda: broken.opened >= 3 and hanging.opened >= 3 and len(sound.answers) == 2)
        assert broken.closed in (broken.opened - 1, broken.opened)
        assert (hanging.closed in (hanging.opened - 1, hanging.opened), sound.closed) == (True, 0)
        await until(lambda: len(broken.answers) >= 4)
    assert [one["state"] for one in health(tmp_path, "sound")] == ["online"]


async def test_the_backoff_doubles_to_its_cap_and_begins_anew_after_a_stable_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ceilings: list[float] = []

    def full_jitter(low: float, high: float) -> float:
        assert low == 0
        ceilings.append(high)
        return 0

    monkeypatch.setattr(random, "uniform", full_jitter)
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.5)
    monkeypatch.setattr(supervisor, "BACKOFF_MAX_S", 30.0)
    driver = ScriptedDriver([LOST])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: len(ceilings) >= 9)
        monkeypatch.setattr(supervisor, "STABLE_S", 0.0)
        count = len(ceilings)
        await until(lambda: len(ceilings) >= count + 3)
    assert ceilings[:9] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert ceilings[-1] == 0.5


async def test_answers_come_after_the_commit_and_in_order(tmp_path: Path) -> None:
    driver, gate = AnsweringDriver([tap("1"), tap("2"), tap("1"), tap("2", "other"), FOREVER]), Gate("journal.inserted")
    async with recording(tmp_path, step=gate) as recorder, supervised(recorder, device(driver)):
        await gate.wait()
        await asyncio.sleep(0.05)  # what could come too early has time to come
        assert driver.answers == []
        gate.open()
        await until(lambda: len(driver.answers) == 4)
    names, outcomes = zip(*driver.answers, strict=True)
    assert names == ("1", "2", "1", "2")
    assert outcomes[:3] == (Recorded(),) * 3
    assert isinstance(outcomes[3], Refused)


async def test_what_is_refused_is_answered_and_counted_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    driver = AnsweringDriver([tap("1", kind="no.such"), tap("2", kind="gateway.start"), tap("3"), FOREVER])
    mute = ScriptedDriver([tap(kind="no.such"), tap(kind="no.such"), FOREVER])
    answering, not_answering = device(driver), device(mute, "gate-2")
    async with recording(tmp_path) as recorder, supervised(recorder, answering, not_answering):
        await until(lambda: len(driver.answers) == 3 and not_answering.refused == 2)
    assert sorted((name, type(outcome)) for name, outcome in driver.answers) == [
        ("1", Refused),
        ("2", Refused),
        ("3", Recorded),
    ]
    assert answering.refused == 2
    assert len([one for one in caplog.records if "was refused" in one.message]) == 2, "once a device"


async def test_unanswered_readings_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "UNANSWERED_MAX", 3)
    taken = 0

    class Flood(AnsweringDriver):
        async def readings(self) -> AsyncIterator[Any]:
            nonlocal taken
            while True:
                taken += 1
                yield tap(str(taken))

        async def answer(self, *_: object) -> None:
            await asyncio.Event().wait()

    async with recording(tmp_path) as recorder, supervised(recorder, device(Flood([]))):
        await until(lambda: taken == 4)
        await asyncio.sleep(0.05)
        assert taken == 4, "three unanswered, and one that waits"


async def test_readings_that_a_driver_spoils_do_not_use_up_the_room_for_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "UNANSWERED_MAX", 2)
    spoiled = [tap("\ud800")]  # no driver of ours yields such an id
    driver = AnsweringDriver(*[spoiled] * 5, [tap("sound"), FOREVER])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: driver.answers == [("sound", Recorded())])


async def test_any_reason_can_be_recorded(tmp_path: Path) -> None:
    reason = "/dev/\udcff: " + "ö" * 1000
    driver = ScriptedDriver([DeviceError(reason)])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: recorder.recorded_count)
    (told,) = health(tmp_path)
    assert told["reason"].startswith("/dev/?: ööö")
    assert len(told["reason"]) == supervisor.REASON_CHARACTERS_MAX


async def test_cancelling_closes_every_driver_and_tells_nothing_more(tmp_path: Path) -> None:
    driver = ScriptedDriver([FOREVER])
    async with recording(tmp_path) as recorder:
        async with supervised(recorder, device(driver)):
            await until(lambda: recorder.recorded_count == 1)
        assert driver.closed == 1
    assert [one["state"] for one in health(tmp_path)] == ["online"]


async def test_no_devices_at_all_are_supervised_until_cancelled(tmp_path: Path) -> None:
    async with recording(tmp_path) as recorder:
        task = asyncio.create_task(supervise([], recorder))
        await asyncio.wait([task], timeout=1)
        assert task.done()  # nothing to do: the gateway goes on with its heartbeat


async def test_a_device_does_not_tell_its_own_health(tmp_path: Path) -> None:
    told = Reading(
        "device.health", {"state": "offline", "errors": 0, "resyncs": 0, "bytes_dropped": 0}, Origin.UNPROTECTED
    )
    driver = AnsweringDriver([told, FOREVER])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: len(driver.answers) == 1)
    ((_, outcome),) = driver.answers
    assert isinstance(outcome, Refused)
    assert [one["state"] for one in health(tmp_path)] == ["online"]
