from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import random
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import DeviceError, Origin, Reading, Recorded, Refused
from devices.jsonl.driver import Jsonl, JsonlSettings
from devices.sim.pty import PseudoTerminal
from edge.device import supervisor
from edge.device.config import CommonSettings
from edge.device.supervisor import SupervisedDevice, supervise
from edge.log import _JsonFormatter
from tests.edge.drivers import FOREVER, AnsweringDriver, ScriptedDriver
from tests.edge.recording import Gate, recorded, recording, tap
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from edge.recorder import Recorder

FIRST_S, MAX_S = supervisor.BACKOFF_FIRST_S, supervisor.BACKOFF_MAX_S
LINE = b'{"id": "1", "type": "fare.tap", "data": {"direction": "in", "token": "a"}}\n'
LOST = DeviceError("port: the wire is lost; plug it in")


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.001)
    monkeypatch.setattr(supervisor, "BACKOFF_MAX_S", 0.01)
    monkeypatch.setattr(supervisor, "CLOSE_MAX_S", 0.05)
    monkeypatch.setattr(supervisor, "HELD_S", 0.05)


def meter_reading(value: str) -> Reading:
    registers = [{"obis": "1-0:1.8.0", "value": Decimal(value), "unit": "kWh"}]
    data = {"meter_id": "m-1", "meter_time": None, "integrity": "crc", "registers": registers}
    return Reading("meter.reading", data, Origin.CHECKSUM)


def device(driver: ScriptedDriver, name: str = "gate-1", **keys: Any) -> SupervisedDevice:
    return SupervisedDevice(CommonSettings(name, "scripted", **keys), driver, "gw-1")


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


async def test_a_defect_is_logged_with_its_place_and_without_its_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    driver = AnsweringDriver([tap("1"), ValueError("4242424242424242 is no line")], [FOREVER])
    driver.close_error, driver.answer_errors = RuntimeError("4242424242424242"), [RuntimeError("4242424242424242")]
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: driver.opened == 2 and driver.answers)
    defects = [vars(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert {one["error"] for one in defects} == {"ValueError", "RuntimeError"}
    assert all("tests/edge/drivers.py" in one["trace"] for one in defects)
    assert "4242" not in "".join(map(_JsonFormatter().format, caplog.records))


async def awaiting_what_it_cancelled() -> None:
    """A common mistake of drivers."""
    task = asyncio.create_task(asyncio.sleep(3600))
    task.cancel()
    await task


async def test_a_driver_that_awaits_what_it_cancelled_is_opened_again_and_not_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Careless(AnsweringDriver):
        async def open(self) -> None:
            await super().open()
            if self.opened == 1:
                await awaiting_what_it_cancelled()

        async def readings(self) -> AsyncIterator[Reading]:
            async for reading in super().readings():
                yield reading
            await awaiting_what_it_cancelled()

        async def close(self) -> None:
            await super().close()
            await awaiting_what_it_cancelled()

        async def answer(self, reading: Reading, outcome: Recorded | Refused) -> None:
            await super().answer(reading, outcome)
            await awaiting_what_it_cancelled()

    driver = Careless([], [tap("1"), tap("2")], [tap("3"), FOREVER])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: [name for name, _ in driver.answers] == ["1", "2", "3"])
    defects = {record.message for record in caplog.records if record.levelno == logging.ERROR}
    assert defects == {"driver failed; it is opened again", "driver failed to close", "driver failed to answer"}
    assert health(tmp_path)[0]["reason"] == "driver scripted failed (CancelledError); see the log"


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


async def test_the_backoff_doubles_to_its_cap_and_begins_anew_once_the_wire_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ceilings: list[float] = []

    def full_jitter(low: float, high: float) -> float:
        assert low == 0
        ceilings.append(high)
        return 0

    monkeypatch.setattr(random, "uniform", full_jitter)
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", FIRST_S)
    monkeypatch.setattr(supervisor, "BACKOFF_MAX_S", MAX_S)
    driver = ScriptedDriver(*[[LOST]] * 7, [])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: len(ceilings) >= 7)
        monkeypatch.setattr(supervisor, "HELD_S", 0.0)
        count = len(ceilings)
        await until(lambda: len(ceilings) >= count + 3)
    assert ceilings[:6] == [0.5, 1, 2, 4, 4, 4]
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


async def test_a_wire_that_opens_and_fails_at_once_is_never_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HELD_S", 3600)
    driver = ScriptedDriver([])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: driver.opened >= 10)
    assert [one["state"] for one in health(tmp_path)] == ["offline"]


async def test_a_wire_that_fails_after_every_reading_is_told_once_until_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HELD_S", 0.5)
    driver = ScriptedDriver(*[[tap(), LOST]] * 10, [tap(token="holds"), FOREVER])
    the_device = device(driver)
    async with recording(tmp_path) as recorder, supervised(recorder, the_device):
        await until(lambda: driver.opened == 11)
        assert not the_device.online
        await until(lambda: the_device.online)
    assert [one["state"] for one in health(tmp_path)] == ["online", "offline", "online"]
    assert [event.type for event in recorded(tmp_path)].count("fare.tap") == 11


async def test_a_device_that_is_there_and_never_says_anything_usable_is_told_ever_more_seldom(tmp_path: Path) -> None:
    class Mute(ScriptedDriver):
        async def readings(self) -> AsyncIterator[Reading]:
            async for reading in super().readings():
                yield reading
            await asyncio.sleep(0.08)  # longer than a wire must hold
            raise LOST

    driver = Mute([])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: driver.opened >= 10)
    states = [one["state"] for one in health(tmp_path)]
    assert states[:2] == ["online", "offline"]
    assert len(states) <= 4


async def test_a_device_that_is_heard_and_says_nothing_usable_is_told_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    driver = ScriptedDriver([FOREVER])
    driver.counters.errors = 3
    the_device = device(driver)
    async with recording(tmp_path) as recorder, supervised(recorder, the_device):
        await until(lambda: the_device.online)
    (told,) = [record for record in caplog.records if record.getMessage() == "nothing that the device says is usable"]
    assert told.__dict__["mend"] == "`wayside device try scripted` shows what is wrong with it"


async def test_a_silent_device_is_online_once_its_wire_has_held(tmp_path: Path) -> None:
    the_device = device(ScriptedDriver([FOREVER]))
    async with recording(tmp_path) as recorder, supervised(recorder, the_device):
        await asyncio.sleep(0)
        assert not the_device.online
        await until(lambda: the_device.online)
    assert the_device.last_reading_at is None


async def test_an_open_that_hangs_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "OPEN_MAX_S", 0.05)

    class Hanging(ScriptedDriver):
        async def open(self) -> None:
            await super().open()
            if self.opened < 3:
                await asyncio.Event().wait()

    driver = Hanging([tap(), FOREVER])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: recorder.recorded_count == 3)
        assert driver.closed == 2
    offline, online = health(tmp_path)
    assert offline["reason"] == "driver scripted did not open its device within 0.05 s; check the device"
    assert online["state"] == "online"


async def test_a_drivers_own_timeout_is_its_defect_and_not_the_deadlines(tmp_path: Path) -> None:
    the_device = device(ScriptedDriver([TimeoutError()]))
    async with recording(tmp_path) as recorder, supervised(recorder, the_device):
        await until(lambda: the_device.reason)
    assert the_device.reason == "driver scripted failed (TimeoutError); see the log"


async def test_a_driver_that_never_waits_leaves_the_loop_to_others(tmp_path: Path) -> None:
    class Flood(ScriptedDriver):
        async def readings(self) -> AsyncIterator[Reading]:
            while True:
                yield meter_reading("1.000")

    flooding, sound = device(Flood([]), "flooding"), device(ScriptedDriver([tap(), FOREVER]), "sound")
    async with recording(tmp_path) as recorder, supervised(recorder, flooding, sound):
        await until(lambda: sound.last_reading_at is not None and flooding.policy.thinned > 100)
    assert [event.device for event in recorded(tmp_path)].count("sound") == 2


async def test_what_is_not_worth_recording_is_counted_and_what_a_register_did_is_told(tmp_path: Path) -> None:
    told = [meter_reading(value) for value in ("100.0", "100.1", "100.2", "99.0", "99.1")]
    the_device = device(ScriptedDriver([*told, FOREVER]))
    async with recording(tmp_path) as recorder, supervised(recorder, the_device):
        await until(lambda: the_device.policy.thinned == 3 and recorder.recorded_count == 4)
    _, first, status, last = recorded(tmp_path)
    assert [str(one.data["registers"][0]["value"]) for one in (first, last)] == ["100.0", "99.0"]
    assert (status.type, status.device, status.data["status"]) == ("meter.status", "gate-1", "fell")


async def test_a_refused_reading_does_not_stand_for_the_sound_ones_of_its_quarter(tmp_path: Path) -> None:
    sound = meter_reading("1.0")
    registers = sound.data["registers"] * 16
    wide = sound._replace(data={**sound.data, "registers": registers})
    the_device = device(ScriptedDriver([wide, wide, wide, FOREVER]))
    async with recording(tmp_path) as recorder, supervised(recorder, the_device):
        await until(lambda: the_device.refused + the_device.policy.thinned == 3)
    assert (the_device.refused, the_device.policy.thinned) == (3, 0), "over 300 bytes, each of them told as refused"


async def test_a_driver_whose_counters_are_none_is_read_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    driver = ScriptedDriver([tap(), LOST], [tap(token="back"), FOREVER])
    driver.counters.errors = -1
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: recorder.recorded_count == 2)
    assert [event.type for event in recorded(tmp_path)] == ["fare.tap", "fare.tap"]
    assert "device.health cannot be recorded" in caplog.text


async def test_a_device_that_waits_for_an_answer_has_every_reading_recorded_and_answered(tmp_path: Path) -> None:
    driver = AnsweringDriver([meter_reading("1.0")] * 3 + [FOREVER])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: len(driver.answers) == 3)
    assert [outcome for _, outcome in driver.answers] == [Recorded()] * 3


async def test_a_thinned_reading_is_passed_over_where_the_device_only_waits_for_leave_to_forget_it(
    tmp_path: Path,
) -> None:
    class Broker(AnsweringDriver):
        passed_over = 0

        async def pass_over(self, reading: Reading) -> None:
            assert reading.id is not None
            self.passed_over += 1

    driver = Broker([meter_reading("1.0")._replace(id=str(number)) for number in range(3000)] + [FOREVER])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: driver.passed_over == 2999 and driver.answers)
    assert driver.answers == [("0", Recorded())]


async def test_the_contact_of_the_cabinets_door_is_told_by_the_gateway_too(tmp_path: Path) -> None:
    def contact(*, active: bool) -> Reading:
        return Reading("contact.state", {"contact": "door", "active": active}, Origin.UNPROTECTED)

    script = [contact(active=False), contact(active=True), contact(active=True), FOREVER]
    lamp, door = device(ScriptedDriver(script), "lamp"), device(ScriptedDriver(script), "door-1", role="tamper")
    async with recording(tmp_path) as recorder, supervised(recorder, lamp, door):
        await until(lambda: door.policy.thinned == lamp.policy.thinned == 1)
    events = [one for one in recorded(tmp_path) if one.device in ("door-1", "gw-1") and one.type != "device.health"]
    assert [(one.device, one.type, one.data["active"]) for one in events] == [
        ("door-1", "contact.state", False),
        ("gw-1", "gateway.tamper", False),
        ("door-1", "contact.state", True),
        ("gw-1", "gateway.tamper", True),
    ]
    assert events[1].data == {"device": "door-1", "contact": "door", "active": False}


async def test_an_adapter_that_returns_under_another_name_is_read_within_10_s_at_the_worst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", MAX_S)
    monkeypatch.setattr(supervisor, "BACKOFF_MAX_S", MAX_S)
    monkeypatch.setattr(random, "uniform", lambda _, high: high)
    with PseudoTerminal(tmp_path / "by-id") as terminal:
        driver = Jsonl("gate-1", JsonlSettings(port=terminal.path))
        the_device = SupervisedDevice(CommonSettings("gate-1", "jsonl"), driver, "gw-1")
        async with recording(tmp_path) as recorder, supervised(recorder, the_device):
            await until(lambda: terminal.write(LINE) and driver.counters.readings)
            first_name = (tmp_path / "by-id").readlink()
            holder = os.open(first_name, os.O_RDWR | os.O_NOCTTY)  # so that its name is not given out again
            terminal.unplug()
            await until(lambda: the_device.online is False)
            terminal.replug()
            returned_at, readings = time.monotonic(), driver.counters.readings
            await until(lambda: terminal.write(LINE) and driver.counters.readings > readings)
            assert time.monotonic() - returned_at < 10
            assert (tmp_path / "by-id").readlink() != first_name
        os.close(holder)


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


class ImpairedDriver(ScriptedDriver):
    """A scripted driver that is open and may not do all of its work."""

    impairment = ""
    is_at_work = False


async def test_what_an_open_device_cannot_do_is_told_when_it_begins_changes_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "IMPAIRMENT_LOOK_S", 0.001)
    driver = ImpairedDriver([tap(), FOREVER])
    told: list[tuple[str, str | None]] = [("online", None)]
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        for impairment in ("no pictures; plug it in", "the camera was moved; calibrate it", ""):
            await until(lambda: recorder.recorded_count == 1 + len(told))
            driver.impairment = impairment
            told.append(("impaired", impairment) if impairment else ("online", None))
        await until(lambda: recorder.recorded_count == 1 + len(told))
        await asyncio.sleep(0.05)
    assert [(data["state"], data.get("reason")) for data in health(tmp_path)] == told


async def test_a_device_that_is_impaired_from_the_beginning_is_never_told_to_be_well(tmp_path: Path) -> None:
    driver = ImpairedDriver([FOREVER])
    driver.impairment = "no pictures; plug it in"
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await until(lambda: recorder.recorded_count)
    assert [data["state"] for data in health(tmp_path)] == ["impaired"]


async def test_a_device_that_is_surely_there_is_online_before_its_wire_has_held_and_before_its_first_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HELD_S", 3600)
    monkeypatch.setattr(supervisor, "IMPAIRMENT_LOOK_S", 0.001)
    driver = ImpairedDriver([FOREVER])
    async with recording(tmp_path) as recorder, supervised(recorder, device(driver)):
        await asyncio.sleep(0.05)
        assert recorder.recorded_count == 0
        driver.is_at_work = True
        await until(lambda: recorder.recorded_count)
    assert [data["state"] for data in health(tmp_path)] == ["online"]


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
