from __future__ import annotations

import asyncio
import time
from datetime import time as clock_time
from typing import TYPE_CHECKING

import pytest

from devices.driver import DeviceError, Origin, Reading
from edge.device import trial
from edge.device.trial import Ending, trial_driver, try_device
from ledger_sync.proof.settings import SettingsError
from tests.edge.drivers import FOREVER, AnsweringDriver, ScriptedDriver
from tests.edge.recording import tap
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CARD = "4242 4242 4242 4242"


class Told:
    def __init__(self) -> None:
        self.readings: list[tuple[Reading, str | None]] = []
        self.problems: list[str] = []

    def reading(self, reading: Reading, refusal: str | None) -> None:
        self.readings.append((reading, refusal))

    def problem(self, sentence: str) -> None:
        self.problems.append(sentence)


class Noisy(ScriptedDriver):
    """Counts errors and says nothing."""

    async def readings(self) -> AsyncIterator[Reading]:
        for number in range(3):
            self.counters.errors += 1
            self.counters.last_error = f"{CARD} is no line {number}"
        await asyncio.Event().wait()
        yield tap()


async def tried(driver: ScriptedDriver, **limits: float) -> tuple[Ending, Told]:
    told = Told()
    ending = await try_device(driver, told, asyncio.Event(), **limits)  # type: ignore[arg-type] # a count is an int
    assert driver.opened == driver.closed == 1, "opened once, and closed in any case"
    return ending, told


async def test_it_ends_with_as_many_readings_as_were_asked_for() -> None:
    ending, told = await tried(ScriptedDriver([tap("1"), tap("2"), tap("3"), FOREVER]), count=2)
    assert ending is Ending.ENOUGH
    assert [(reading.id, refusal) for reading, refusal in told.readings] == [("1", None), ("2", None)]


async def test_it_ends_when_its_time_is_over_or_it_is_stopped() -> None:
    ending, told = await tried(ScriptedDriver([tap(), FOREVER]), seconds=0.05)
    assert (ending, len(told.readings)) == (Ending.TIME_OVER, 1)
    stop, told = asyncio.Event(), Told()
    trying = asyncio.create_task(try_device(ScriptedDriver([tap(), FOREVER]), told, stop))
    await until(lambda: told.readings)
    stop.set()
    assert await trying is Ending.STOPPED


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ([tap(), DeviceError("port x: hung up; plug it in")], "port x: hung up; plug it in"),
        ([tap()], "the driver ended by itself"),
    ],
)
async def test_a_device_that_fails_is_told_and_not_opened_again(script: list[object], sentence: str) -> None:
    ending, told = await tried(ScriptedDriver(script))
    assert (ending, told.problems) == (Ending.FAILED, [sentence])


async def test_a_device_that_does_not_open_could_not_be_tried() -> None:
    ending, told = await tried(ScriptedDriver([DeviceError("port x: does not exist; plug it in")]))
    assert (ending, told.problems) == (Ending.NOT_OPENED, ["port x: does not exist; plug it in"])


async def test_an_open_that_hangs_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "OPEN_MAX_S", 0.05)

    class Hanging(ScriptedDriver):
        async def open(self) -> None:
            await super().open()
            await asyncio.Event().wait()

    assert (await tried(Hanging([])))[0] is Ending.NOT_OPENED


async def test_errors_are_told_as_they_are_counted_with_what_was_on_the_wire() -> None:
    _, told = await tried(Noisy([]), seconds=0.05)
    assert told.problems == [f"{CARD} is no line 2 (and 2 more)"]


async def test_a_reading_that_a_gateway_would_refuse_is_told_with_the_reason() -> None:
    script = [
        tap(kind="no.such"),
        tap(kind="gateway.stop"),
        Reading("device.passport", {}, Origin.UNPROTECTED),
        tap(token=""),
        tap()._replace(evidence=(b"no digest",)),
    ]
    _, told = await tried(ScriptedDriver([*script, tap(), FOREVER]), count=6)
    assert [refusal is not None for _, refusal in told.readings] == [True] * 5 + [False]


async def test_a_device_gets_no_answer_as_nothing_is_recorded() -> None:
    driver = AnsweringDriver([tap("1"), tap("2"), FOREVER])
    await tried(driver, seconds=0.05)
    assert driver.answers == []


async def test_a_defect_of_the_driver_is_its_makers_to_see() -> None:
    driver = ScriptedDriver([tap(), ZeroDivisionError()])
    with pytest.raises(ZeroDivisionError):
        await try_device(driver, Told(), asyncio.Event())
    assert driver.closed == 1


async def test_a_driver_that_does_not_close_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "CLOSE_MAX_S", 0.05)
    driver = ScriptedDriver([tap()])
    driver.closes_for_ever = True
    begin = time.monotonic()
    _, told = await tried(driver)
    assert time.monotonic() - begin < 1
    assert told.problems[-1] == "the driver did not close within 0.05 s"


def test_settings_are_toml_values_and_bare_words_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["bytesize=7", "parity=E", 'registers=["1.8.x"]', "crc_required=false", "record_every_s=0"]
    driver = trial_driver("dsmr", "ttyUSB0", words, tmp_path)
    assert driver._line.port == str(tmp_path / "ttyUSB0")  # type: ignore[attr-defined]
    assert (driver._line._bytesize, driver._line._parity) == (7, "E")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ('"7"', "7"),
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
        ("", ""),
        ("1\nother = 2", "1\nother = 2"),
        ("12:00:00", clock_time(12)),
        ("9" * 5000, "9" * 5000),
        ("[" * 5000, "[" * 5000),
    ],
)
def test_what_is_no_toml_value_is_text(text: str, value: object) -> None:
    assert trial._toml_value(text) == value


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        trial_driver("dsmr", None, ["parity=X", "what=1", "nonsense"], tmp_path)
    told = "\n".join(raised.value.problems)
    for part in (
        "'nonsense' is no setting",
        "device.what: unknown key",
        "device.port: is missing",
        "device.parity: is",
    ):
        assert part in told


@pytest.mark.parametrize("name", ["no-such-driver", ""])
def test_an_unknown_driver_is_told_with_those_that_are_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"known are .*dsmr"):
        trial_driver(name, None, [], tmp_path)
