from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from devices.contract.suite import DriverContract
from devices.jsonl.driver import Jsonl, JsonlSettings
from devices.meter.dsmr import Dsmr, DsmrSettings
from devices.meter.sml import Sml, SmlSettings
from devices.sim.fare.tapping import FareValidator
from devices.sim.meter.dsmr_frame import DsmrFrames
from devices.sim.meter.sml_frame import SmlFrames

if TYPE_CHECKING:
    from devices.driver import Driver

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class TestDsmr(DriverContract):
    def make(self, port: str) -> Driver:
        return Dsmr("meter-1", DsmrSettings(port=port))

    def frame(self) -> bytes:
        return DsmrFrames(seed=1).frame(NOW)[0]


class TestSml(DriverContract):
    def make(self, port: str) -> Driver:
        return Sml("meter-2", SmlSettings(port=port))

    def frame(self) -> bytes:
        return SmlFrames(seed=1).frame(NOW)[0]


class TestJsonl(DriverContract):
    def make(self, port: str) -> Driver:
        return Jsonl("validator-1", JsonlSettings(port=port))

    def frame(self) -> bytes:
        return FareValidator(seed=1, run="r").tap(time.monotonic())
