from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from devices.contact import digital_input
from devices.contact.digital_input import DigitalInput
from devices.contract.feeding import take
from devices.contract.suite import assert_plain, open_files
from devices.driver import Addressed, DeviceError, Origin, Reading, Resuming, WireCounters, WireRole
from ledger_sync.proof.event_types import event_type
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.contact.lines import CONTACT, PULSES, make, plugged_in

if TYPE_CHECKING:
    from pathlib import Path

    from devices.sim.contact.gpio_chip import SimulatedChip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digital_input, "TOTAL_EVERY_S", 0.02)


def pulse(chip: SimulatedChip, times: int = 1, *, dropped: bool = False) -> None:
    for _ in range(times):
        chip.drive(high=True, dropped=dropped)
        chip.drive(high=False)


def states(readings: list[Reading]) -> list[bool]:
    return [reading.data["active"] for reading in readings]


async def total_of(driver: DigitalInput, pulses: int) -> Reading:
    """The reading that tells this total; totals before it are less."""
    async with asyncio.timeout(10):
        while True:
            async for reading in driver.readings():
                assert reading.data["pulses"] <= pulses
                if reading.data["pulses"] == pulses:
                    return reading


async def test_a_contact_tells_its_level_at_the_opening_and_each_change(tmp_path: Path) -> None:
    async with plugged_in(tmp_path) as (chip, driver):

        def open_and_close() -> None:
            chip.drive(high=True)
            chip.drive(high=True)
            chip.drive(high=False)

        readings = await take(driver, 3, during=open_and_close)
    assert readings[0] == Reading("contact.state", {"contact": "door", "active": False}, Origin.UNPROTECTED)
    assert states(readings) == [False, True, False]
    assert driver.counters == WireCounters(readings=3)
    for reading in readings:
        assert_plain(reading.data)
        assert event_type(reading.type).check(reading.data) == reading.data


async def test_with_active_low_0_v_is_active(tmp_path: Path) -> None:
    async with plugged_in(tmp_path, active_low=True) as (chip, driver):
        assert states(await take(driver, 2, during=lambda: chip.drive(high=True))) == [True, False]


async def test_a_contact_that_changed_while_nobody_read_tells_how_it_is_at_the_next_opening(tmp_path: Path) -> None:
    async with plugged_in(tmp_path) as (chip, driver):
        assert states(await take(driver, 1)) == [False]
        await driver.close()
        chip.drive(high=True)
        await driver.open()
        assert states(await take(driver, 1)) == [True]


async def test_an_edge_that_the_kernel_dropped_is_a_counted_error(tmp_path: Path) -> None:
    async with plugged_in(tmp_path) as (chip, driver):

        def lose_one() -> None:
            chip.drive(high=True, dropped=True)
            chip.drive(high=False)

        assert states(await take(driver, 2, during=lose_one)) == [False, False]
    assert driver.counters.errors == 1


async def test_pulses_become_an_exact_total(tmp_path: Path) -> None:
    async with plugged_in(tmp_path, **PULSES) as (chip, driver):
        (first,) = await take(driver, 1)
        pulse(chip, 3)
        last = await total_of(driver, 3)
    assert first.data == {"counter": "S0", "pulses": 0, "value": Decimal("0.000"), "unit": "kWh"}
    assert last == Reading(
        "counter.total",
        {"counter": "S0", "pulses": 3, "value": Decimal("0.003"), "unit": "kWh"},
        Origin.UNPROTECTED,
    )
    assert str(last.data["value"]) == "0.003"
    assert event_type(last.type).check(last.data) == last.data
    assert driver.counters.errors == 0


async def test_pulses_that_the_kernel_dropped_are_errors_and_count_all_the_same(tmp_path: Path) -> None:
    async with plugged_in(tmp_path, **PULSES) as (chip, driver):
        pulse(chip, 2)
        pulse(chip, 5, dropped=True)
        pulse(chip)
        assert (await total_of(driver, 8)).data["value"] == Decimal("0.008")
    assert driver.counters.errors == 5
    assert driver.counters.last_error


async def test_a_burst_of_pulses_gives_a_total_a_second_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digital_input, "TOTAL_EVERY_S", 0.3)
    async with plugged_in(tmp_path, **PULSES) as (chip, driver):
        readings = await take(driver, 2, during=lambda: pulse(chip, 200))
        begin = asyncio.get_running_loop().time()
        pulse(chip)
        await take(driver, 2)
        assert asyncio.get_running_loop().time() - begin >= 0.3
    assert [reading.data["pulses"] for reading in readings] == [0, 200]


async def test_a_total_goes_on_from_the_recorded_one_and_over_a_lost_chip(tmp_path: Path) -> None:
    async with plugged_in(tmp_path, **PULSES) as (chip, driver):
        assert isinstance(driver, Resuming)
        driver.resume({"counter": "S0", "pulses": 12_345})
        assert (await take(driver, 1))[0].data["value"] == Decimal("12.345")
        pulse(chip)
        await total_of(driver, 12_346)
        await chip.unplug()
        with pytest.raises(DeviceError, match="the chip is gone"):
            await take(driver, 2)
        await chip.plug_in()
        await driver.open()
        pulse(chip)
        await total_of(driver, 12_347)
    assert driver.counters.errors == 0


async def test_another_counters_total_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    async with plugged_in(tmp_path, **PULSES) as (_, driver):
        driver.resume({"counter": "water", "pulses": 12_345})
        assert (await take(driver, 1))[0].data["pulses"] == 0


async def test_a_line_that_is_held_or_that_there_is_not_is_a_device_error_that_names_it(tmp_path: Path) -> None:
    async with plugged_in(tmp_path) as (chip, driver):
        with pytest.raises(DeviceError, match=r"chip, line 17: .*held by another"):
            await make(f"sim://{chip.path}").open()
        await driver.close()
        with pytest.raises(DeviceError, match=r"line 18: .*no such line"):
            await make(f"sim://{chip.path}", line=18).open()


async def test_cancelling_the_reader_leaves_a_driver_that_closes_and_opens(tmp_path: Path) -> None:
    async with plugged_in(tmp_path) as (chip, driver):
        task = asyncio.create_task(take(driver, 2))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await driver.close()
        await driver.close()
        await driver.open()
        assert states(await take(driver, 2, during=lambda: chip.drive(high=True))) == [False, True]


@pytest.mark.parametrize("port", ["/nowhere/gpiochip0", "sim:///nowhere/gpiochip0"])
async def test_a_missing_chip_is_a_device_error_that_names_it(port: str) -> None:
    with pytest.raises(DeviceError, match=port):
        await make(port).open()


def test_making_a_driver_touches_nothing_and_says_what_it_is() -> None:
    before = open_files()
    driver = make("/nowhere/gpiochip0", line=4)
    assert open_files() == before
    assert driver.counters == WireCounters()
    assert driver.wire_role is WireRole.LISTEN_ONLY
    assert isinstance(driver, Addressed)
    assert driver.address(DigitalInput.Settings("/dev/gpiochip0", 4, contact="door")) == "line 4"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"port": ""}, "is empty"),
        ({"port": "tcp://host:1"}, "must be a GPIO chip"),
        ({"port": "sim://relative"}, "must be a GPIO chip"),
        ({"line": -1}, "must be a line's offset"),
        ({"line": True}, "must be a line's offset"),
        ({"line": "a\nb"}, "must be a line's offset"),
        ({"bias": "up"}, "one of: as-is"),
        ({"debounce_ms": 20_000}, "from 0 to 10000"),
        ({"mode": "count"}, "one of: contact, pulses"),
        ({"contact": None}, "needs contact"),
        ({"counter": "S0"}, "neither both"),
        ({"mode": "pulses"}, "needs counter"),
        ({"unit": "kWh"}, "go together"),
        ({"unit": "kWh", "pulses_per_unit": "1000"}, "are for mode"),
        (PULSES | {"contact": None, "unit": None}, "go together"),
        (PULSES | {"contact": None, "pulses_per_unit": 1000}, "as text"),
        (PULSES | {"contact": None, "pulses_per_unit": "0.0"}, "above 0"),
    ],
    ids=str,
)
def test_settings_are_refused_with(change: dict[str, Any], problem: str) -> None:
    table = {"port": "/dev/gpiochip0", "line": 17} | CONTACT | change
    problems = Problems()
    kept = {key: value for key, value in table.items() if value is not None}
    assert read_settings(DigitalInput.Settings, kept, problems) is None
    assert problem in "\n".join(problems)
