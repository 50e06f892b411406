"""Simulated readers and the drivers that read them, in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

from devices.fare.osdp import Osdp, OsdpSettings
from devices.fare.pn532 import Pn532, Pn532Settings
from devices.sim.device import Placement, Truth
from devices.sim.fare.osdp import OsdpReader
from devices.sim.fare.pn532 import Pn532Reader
from devices.sim.faults import FaultRates
from ledger_sync.proof.settings import Problems, read_settings
from tests.devices.fare.sealing import seal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from devices.driver import Driver, Reading

NEVER_S = 3600.0


class TruthText(Truth):
    """Truth kept in memory; `rows` as a check would read them: `sure` as it became."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        super().__init__(self.text)

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: dict[int, dict[str, Any]] = {}
        for line in self.text.getvalue().splitlines():
            row = json.loads(line)
            rows[row["number"]] = rows.get(row["number"], {}) | row
        return list(rows.values())


def osdp_reader(
    folder: Path,
    truth: Truth | None = None,
    interval_s: float = NEVER_S,
    faults: FaultRates | None = None,
    **options: Any,
) -> OsdpReader:
    placement = Placement("gate-1", 7, folder, interval_s=interval_s, faults=faults or FaultRates(), options=options)
    return OsdpReader(placement, truth or Truth())


def pn532_reader(
    folder: Path,
    truth: Truth | None = None,
    interval_s: float = NEVER_S,
    faults: FaultRates | None = None,
    **options: Any,
) -> Pn532Reader:
    placement = Placement("pole-1", 7, folder, interval_s=interval_s, faults=faults or FaultRates(), options=options)
    return Pn532Reader(placement, truth or Truth())


def osdp_driver(reader: OsdpReader, **changed: Any) -> Osdp:
    settings = settings_of(OsdpSettings, reader.settings() | changed)
    driver = Osdp("gate-1", settings)
    driver.use_seal(seal)
    return driver


def pn532_driver(port: str) -> Pn532:
    driver = Pn532("pole-1", Pn532Settings(port=port, direction="in"))
    driver.use_seal(seal)
    return driver


def settings_of(kind: type[Any], table: dict[str, Any]) -> Any:
    problems = Problems()
    settings = read_settings(kind, {key: one for key, one in table.items() if key != "driver"}, problems)
    assert settings is not None, problems
    return settings


@contextlib.asynccontextmanager
async def running(*readers: OsdpReader | Pn532Reader) -> AsyncIterator[None]:
    """The readers answer for the length of the block."""
    tasks = []
    for reader in readers:
        await reader.start()
        tasks.append(asyncio.create_task(reader.run()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError), ended


@contextlib.asynccontextmanager
async def listening(driver: Driver) -> AsyncIterator[list[Reading]]:
    """The driver is read for the length of the block; its readings so far."""
    taken: list[Reading] = []

    async def listen() -> None:
        async for reading in driver.readings():
            taken.append(reading)  # noqa: PERF401 - each is looked at when it comes

    task = asyncio.create_task(listen())
    try:
        yield taken
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
