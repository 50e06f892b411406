from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from devices.sim.device import Truth
from devices.sim.kinds import KINDS
from edge.config import load_gateway_config
from edge.harness.place import lay_out
from edge.harness.scenario import load_scenario
from tests.bench.crowd import scenario

if TYPE_CHECKING:
    from pathlib import Path

NO_BROKER = "mqtt://127.0.0.1:1"
NOT_IN_THE_CROWD = {"camera", "meter-han", "meter-iec62056", "meter-mbus", "fare-pn532"}


async def test_the_benchs_place_is_laid_out_for_a_gateway_of_250_devices_with_the_probe(tmp_path: Path) -> None:
    (tmp_path / "scenario.toml").write_text(scenario())
    place = await lay_out(load_scenario(str(tmp_path / "scenario.toml")), tmp_path, NO_BROKER, Truth())
    running = [asyncio.create_task(device.run()) for device in place.devices]
    try:
        drivers = Counter(device.driver for device in load_gateway_config(place.gateway_toml).devices)
    finally:
        await asyncio.sleep(0)  # a task that never began would close nothing
        for task in running:
            task.cancel()
        await asyncio.wait(running)
    assert drivers.total() == 249
    assert drivers["dsmr"] == drivers["sml"] == 100
    assert {device.kind for device in place.devices} == set(KINDS) - NOT_IN_THE_CROWD
