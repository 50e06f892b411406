"""The simulated contact and the driver, over the simulated chip's socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from devices.contact import digital_input
from devices.contact.digital_input import DigitalInput
from devices.driver import DeviceError, Reading
from devices.sim.contact.digital_input import DigitalInputContact
from devices.sim.contact.gpio_chip import SimulatedChip
from devices.sim.device import Placement
from devices.sim.faults import FaultRates
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.simulating import Said, as_told
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digital_input, "TOTAL_EVERY_S", 0.0)


def driver_of(settings: dict[str, Any]) -> DigitalInput:
    own = {key: value for key, value in settings.items() if key != "driver"}
    read = read_settings(DigitalInput.Settings, own, Problems())
    assert read is not None
    return DigitalInput("input-1", read)


async def heard(folder: Path, said: Said, seconds: float, rates: FaultRates, **options: Any) -> list[Reading]:
    """What a gateway hears of a contact in so many seconds; it opens the chip again when it is lost."""
    contact = DigitalInputContact(Placement("door", 5, folder, 0.04, faults=rates, options=options), said.truth)
    await contact.start()
    driver, readings = driver_of(contact.settings()), list[Reading]()

    async def read() -> None:
        while True:
            try:
                await driver.open()
                async for reading in driver.readings():
                    readings.append(reading)
            except DeviceError:
                await driver.close()
                await asyncio.sleep(0.02)

    reading, running = asyncio.create_task(read()), asyncio.create_task(contact.run())
    await asyncio.sleep(seconds)
    await until(lambda: readings and as_told(readings[-1]) == list(said.rows().values())[-1]["data"])
    for task in (running, reading):
        task.cancel()
        await asyncio.wait([task])
    await driver.close()
    return readings


@pytest.mark.parametrize("mode", ["contact", "pulses"])
async def test_without_faults_everything_is_heard_as_it_was(tmp_path: Path, mode: str) -> None:
    said = Said()
    readings = await heard(tmp_path, said, 0.6, FaultRates(), mode=mode, name="door")
    assert [as_told(reading) for reading in readings] == [row["data"] for row in said.rows().values()]
    assert said.sure() == len(readings) > 5


async def test_a_contact_whose_chip_is_unplugged_and_drops_edges_is_heard_as_it_was(tmp_path: Path) -> None:
    said = Said()
    readings = await heard(tmp_path, said, 1.5, FaultRates(truncate=0.2, unplug=0.1))
    assert [as_told(reading) for reading in readings] == [row["data"] for row in said.rows().values()]
    assert len(readings) > 10


async def test_pulses_that_were_dropped_are_in_the_next_total(tmp_path: Path) -> None:
    said = Said()
    readings = await heard(tmp_path, said, 1.0, FaultRates(truncate=0.4), mode="pulses")
    assert [as_told(reading) for reading in readings] == [row["data"] for row in said.rows().values()]
    totals = [reading.data["pulses"] for reading in readings]
    assert totals[-1] > len(totals) - 1


async def test_a_total_is_only_the_gateways_to_know_once_the_line_was_requested_again(tmp_path: Path) -> None:
    said = Said()
    contact = DigitalInputContact(Placement("meter", 5, tmp_path, options={"mode": "pulses"}), said.truth)
    await contact.start()
    running = asyncio.create_task(contact.run())
    for _ in range(2):
        driver = driver_of(contact.settings())
        await driver.open()
        await driver.close()
        await until(lambda: not contact._chip.is_requested)
    assert [row["data"]["pulses"] for row in said.rows().values()] == [0, "*"]
    running.cancel()
    await asyncio.wait([running])


async def test_a_chip_numbers_only_the_edges_that_were_asked_for(tmp_path: Path) -> None:
    chip = SimulatedChip(tmp_path / "chip", "4")
    await chip.plug_in()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "chip")
    writer.write(b"request active active-low 4\n")
    assert await reader.readline() == b"now 1\n"
    for high in (True, False, True, False):
        chip.drive(high=high)
    assert [await reader.readline() for _ in range(2)] == [b"edge 1 1\n", b"edge 2 1\n"]
    await chip.unplug()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("request_line", "answer"),
    [
        (b"request both active-high 4\n", b"refused: there is no such line\n"),
        (b"read 17\n", b"refused: that is no request\n"),
    ],
)
async def test_a_chip_refuses(tmp_path: Path, request_line: bytes, answer: bytes) -> None:
    chip = SimulatedChip(tmp_path / "chip", "17")
    await chip.plug_in()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "chip")
    writer.write(request_line)
    assert await reader.read() == answer
    writer.close()
    await writer.wait_closed()
    await chip.unplug()
