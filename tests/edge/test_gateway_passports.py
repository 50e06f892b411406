"""What the configuration says of a device, in the journal of a running gateway."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from devices.driver import Origin, Reading
from edge.config import load_gateway_config
from edge.device.config import CommonSettings
from edge.device.supervisor import SupervisedDevice, supervise
from edge.gateway import run_gateway
from edge.journal.files import current_journal, set_aside
from edge.journal.reader import JournalReader
from edge.journal.verify import verify_journal
from ledger_sync.proof.event import parse_event
from tests.edge.drivers import FOREVER, ScriptedDriver
from tests.edge.recording import recorded, recording
from tests.support.brokers import free_port
from tests.support.city_files import make_city
from tests.support.counting_validator import CountingValidator
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.city_files import CityFiles

PLACE, MOVED = {"place": "Harbour Road 12"}, {"place": "Mill Lane 3"}


@pytest.fixture
def files(tmp_path: Path) -> CityFiles:
    """A gateway with a validator, and no broker."""
    return make_city(tmp_path, free_port())


@asynccontextmanager
async def _running(files: CityFiles, passport: dict[str, str] | None) -> AsyncIterator[None]:
    """Run the gateway with this passport of its one device, until the device has sent a tap more."""
    text = files.gateway_config.read_text().partition("\n[device.passport]\n")[0]
    table = "".join(f'{name} = "{value}"\n' for name, value in (passport or {}).items())
    files.gateway_config.write_text(text if passport is None else f"{text}\n[device.passport]\n{table}")
    stop = asyncio.Event()
    async with asyncio.timeout(20):
        running = asyncio.create_task(run_gateway(load_gateway_config(files.gateway_config), stop))
        try:
            yield
        finally:
            stop.set()
            await running


async def run_once(files: CityFiles, passport: dict[str, str] | None) -> None:
    with CountingValidator(files.directory / "validator-1", taps_max=1) as validator:
        async with _running(files, passport):
            await until(validator.answered_all, "the tap was acknowledged")


def of_device(path: Path) -> list[Any]:
    with JournalReader(path) as reader:
        events = [parse_event(one.statement) for one in reader.events()]
    return [event for event in events if event.device == "validator-1"]


async def test_a_passport_comes_first_and_every_event_of_the_device_names_it(files: CityFiles) -> None:
    await run_once(files, PLACE)
    passport, *later = of_device(files.journal)
    assert (passport.type, passport.data, passport.passport, passport.origin) == ("device.passport", PLACE, None, 0)
    assert {"device.health", "fare.tap"} <= {event.type for event in later}
    assert {event.passport for event in later} == {passport.sequence}


async def test_it_is_recorded_once_a_journal_again_when_it_changed_and_empty_when_it_went(files: CityFiles) -> None:
    for passport in (None, PLACE, PLACE, MOVED, None, None):
        await run_once(files, passport)
    passports = [event for event in of_device(files.journal) if event.type == "device.passport"]
    assert [event.data for event in passports] == [PLACE, MOVED, {}]
    named = [event.passport for event in of_device(files.journal) if event.type != "device.passport"]
    assert list(dict.fromkeys(named)) == [None, *(event.sequence for event in passports)]
    config = load_gateway_config(files.gateway_config)
    with JournalReader(files.journal) as reader:
        verify_journal(reader, files.gateway_key, config.ledgers)


async def test_a_device_does_not_write_its_own_passport(tmp_path: Path) -> None:
    reading = Reading("device.passport", PLACE, Origin.UNPROTECTED)
    driver = ScriptedDriver([reading, FOREVER])
    async with recording(tmp_path) as recorder:
        device = SupervisedDevice(CommonSettings("meter-1", "scripted"), driver, "gw-1")
        supervising = asyncio.create_task(supervise([device], recorder))
        await until(lambda: device.refused == 1, "it was refused")
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)
    assert "device.passport" not in {event.type for event in recorded(tmp_path)}


async def test_a_new_journal_has_it_anew(files: CityFiles) -> None:
    await run_once(files, PLACE)
    set_aside(files.directory / "var")
    await run_once(files, PLACE)
    passport, *later = of_device(current_journal(files.directory / "var"))
    assert (passport.type, passport.data) == ("device.passport", PLACE)
    assert {event.passport for event in later} == {passport.sequence}
