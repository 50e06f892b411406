"""A digital input at a simulated chip, for tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from devices.contact.digital_input import DigitalInput
from devices.sim.contact.gpio_chip import SimulatedChip
from ledger_sync.proof.settings import Problems, read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PULSES = {"mode": "pulses", "counter": "S0", "pulses_per_unit": "1000", "unit": "kWh"}
CONTACT = {"contact": "door"}


def make(port: str, **keys: Any) -> DigitalInput:
    """The driver with these keys; a contact where they say nothing else."""
    table = {"port": port, "line": "17"} | (keys if "mode" in keys else CONTACT | keys)
    problems = Problems()
    settings = read_settings(DigitalInput.Settings, table, problems)
    assert settings is not None, problems
    return DigitalInput("input-1", settings)


@asynccontextmanager
async def plugged_in(folder: Path, **keys: Any) -> AsyncIterator[tuple[SimulatedChip, DigitalInput]]:
    """A chip with line 17 at 0 V, and a driver of it that is open."""
    chip = SimulatedChip(folder / "chip", "17")
    await chip.plug_in()
    driver = make(f"sim://{chip.path}", **keys)
    try:
        await driver.open()
        yield chip, driver
    finally:
        await driver.close()
        await chip.unplug()
