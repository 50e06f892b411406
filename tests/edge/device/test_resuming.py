"""A driver goes on from the newest event of its device that it names."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from devices.sim.contact.gpio_chip import SimulatedChip
from edge.config import load_gateway_config
from edge.device import supervisor
from edge.device.config import CommonSettings
from edge.device.drivers import last_recorded
from edge.device.supervisor import SupervisedDevice, supervise
from edge.gateway import run_gateway
from edge.journal.errors import JournalCorruptError
from edge.journal.files import current_journal
from edge.journal.newest import newest_event
from edge.journal.reader import JournalReader
from edge.journal.writer import NewEvent
from ledger_sync.proof.event import encode_data, parse_event
from ledger_sync.proof.event_types import event_type
from tests.edge.drivers import FOREVER, ScriptedDriver
from tests.edge.journals import SEAL, STAMP, alter, new_event, open_journal
from tests.edge.recording import recorded, recording
from tests.support.brokers import free_port
from tests.support.city_files import make_city
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from devices.driver import Driver
    from edge.config import GatewayConfig


class Counting(ScriptedDriver):
    """Keeps what it goes on from, and how often it was opened before; fails the first time, if it is told to."""

    resumes: ClassVar[str] = "counter.total"

    def __init__(self, *scripts: Sequence[object], fails_once: bool = False) -> None:
        super().__init__(*scripts)
        self.last: list[tuple[Any, int]] = []
        self.fails_once = fails_once

    def resume(self, last: Any) -> None:
        self.last.append((last, self.opened))
        if self.fails_once and len(self.last) == 1:
            raise KeyError("pulses")


def total(device: str, pulses: int) -> NewEvent:
    row = event_type("counter.total")
    return NewEvent(device, row, encode_data(row, {"counter": "S0", "pulses": pulses}), 0, STAMP, None)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Totals of two devices between taps, in sealed batches and in the open one."""
    with open_journal(tmp_path) as journal:
        journal.commit([total("a", 1), new_event("a"), total("b", 7), SEAL])
        journal.commit([total("a", 2), new_event("a"), SEAL, new_event("b"), total("a", 3), new_event("a")])
        return journal.path


def found(path: Path, device: str, driver: Driver) -> Any:
    with JournalReader(path) as reader:
        return last_recorded(driver, device, reader)


@pytest.mark.parametrize(("device", "pulses"), [("a", 3), ("b", 7)])
def test_it_goes_on_from_the_newest_event_of_its_own_device_and_type(journal: Path, device: str, pulses: int) -> None:
    assert found(journal, device, Counting([])) == {"counter": "S0", "pulses": pulses}


def test_where_nothing_is_recorded_or_the_driver_cannot_go_on_nothing_happens(journal: Path) -> None:
    assert found(journal, "c", Counting([])) is None
    assert found(journal, "a", ScriptedDriver()) is None


def test_a_type_that_there_is_not_is_found_nowhere(journal: Path) -> None:
    with JournalReader(journal) as reader:
        assert newest_event(reader, "a", "counter.sum") is None
        tap = newest_event(reader, "a", "fare.tap")
        assert tap is not None
        assert tap.sequence == 8


def test_a_newest_total_is_found_without_reading_the_journal(journal: Path) -> None:
    with JournalReader(journal) as reader, closing(sqlite3.connect(journal)) as connection:
        queries: list[str] = []
        reader._connection.set_trace_callback(queries.append)
        newest_event(reader, "a", "counter.total")
        (plan,) = connection.execute(f"EXPLAIN QUERY PLAN {queries[0]}").fetchall()
    assert plan[3] == "SEARCH event USING INDEX event_counter_total (device=?)"


def test_a_total_that_is_damaged_is_told_as_corruption(journal: Path) -> None:
    alter(journal, "UPDATE event SET statement = x'00' WHERE sequence = 7")
    with pytest.raises(JournalCorruptError, match="event 7"):
        found(journal, "a", Counting([]))


@pytest.mark.parametrize("fails_once", [False, True])
async def test_it_goes_on_once_before_its_first_opening_and_is_not_opened_until_it_could(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails_once: bool
) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.001)
    driver = Counting([], [FOREVER], fails_once=fails_once)
    last = {"counter": "S0", "pulses": 7}
    device = SupervisedDevice(CommonSettings("a", "scripted"), driver, "gw-1", last)
    async with recording(tmp_path) as recorder:
        supervising = asyncio.create_task(supervise([device], recorder))
        await until(lambda: driver.opened == 2)
        supervising.cancel()
        await asyncio.wait([supervising])
    assert driver.last == [(last, 0)] * (1 + fails_once)
    reason = recorded(tmp_path)[0].data["reason"]
    assert reason == ("driver scripted failed (KeyError); see the log" if fails_once else "the driver ended by itself")


def totals(config: GatewayConfig) -> list[int]:
    path = current_journal(config.place.data_dir)
    if not path.exists():
        return []
    with JournalReader(path) as reader:
        events = [parse_event(one.statement) for one in reader.events()]
    return [event.data["pulses"] for event in events if event.type == "counter.total"]


DEVICE = """
[[device]]
id = "meter-1"
driver = "digital-input"
port = "{port}"
line = "17"
mode = "pulses"
counter = "S0"
record_every_s = {every_s}
"""


async def test_an_orderly_stop_records_what_was_counted_since_the_last_recorded_total(tmp_path: Path) -> None:
    chip = SimulatedChip(tmp_path / "chip", "17")
    await chip.plug_in()
    files = make_city(tmp_path, free_port(), devices={}, tables="[journal]\ncommit_age_max_ms = 1\n")
    with files.gateway_config.open("a") as file:
        file.write(DEVICE.format(port=f"sim://{chip.path}", every_s=86_400))
    config = load_gateway_config(files.gateway_config)
    stop = asyncio.Event()
    running = asyncio.create_task(run_gateway(config, stop))
    await until(lambda: chip.is_requested and totals(config) == [0])
    for _ in range(3):
        chip.drive(high=True)
        chip.drive(high=False)
    await asyncio.sleep(1.5)  # a total is told once a second, and this one is thinned
    assert totals(config) == [0]
    stop.set()
    await running
    assert totals(config) == [0, 3]
    await chip.unplug()


async def test_a_gateways_pulse_total_does_not_fall_over_a_restart(tmp_path: Path) -> None:
    chip = SimulatedChip(tmp_path / "chip", "17")
    await chip.plug_in()
    files = make_city(tmp_path, free_port(), devices={}, tables="[journal]\ncommit_age_max_ms = 1\n")
    with files.gateway_config.open("a") as file:
        file.write(DEVICE.format(port=f"sim://{chip.path}", every_s=0))
    config = load_gateway_config(files.gateway_config)
    for before in (0, 2):
        stop = asyncio.Event()
        running = asyncio.create_task(run_gateway(config, stop))
        await until(lambda: chip.is_requested and len(totals(config)) > before)  # noqa: B023 - awaited in this turn
        for _ in range(2):
            chip.drive(high=True)
            chip.drive(high=False)
        await until(lambda: len(totals(config)) == before + 2)  # noqa: B023 - as above
        stop.set()
        await running
        await until(lambda: not chip.is_requested)
    assert totals(config) == [0, 2, 2, 4]
    await chip.unplug()
