from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from devices.contract.feeding import take
from devices.driver import DeviceError, Driver, Recorded
from devices.jsonl.driver import Jsonl, JsonlSettings
from devices.meter.dsmr import Dsmr, DsmrSettings
from devices.meter.sml import Sml, SmlSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a simulated device on the link `port`, with its truth in `truth`, and waits until it is there."""
    processes = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "devices.sim", *arguments, "--link", str(tmp_path / "port")]
        process = subprocess.Popen(
            [*command, "--truth", str(tmp_path / "truth")], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == f"{tmp_path / 'port'}\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def as_text(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "registers": [{**row, "value": str(row["value"])} for row in data["registers"]]}


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0


@pytest.mark.parametrize("kind", ["meter-dsmr", "meter-sml"])
async def test_a_meters_truth_is_what_its_driver_reads(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, kind: str
) -> None:
    process = start(kind, "--seed", "7", "--interval-s", "0.02", "--noise", "0.3", "--flip", "0.1")
    port = str(tmp_path / "port")
    driver: Driver = Dsmr("meter-1", DsmrSettings(port)) if kind == "meter-dsmr" else Sml("meter-1", SmlSettings(port))
    await driver.open()
    readings = await take(driver, 20)
    await driver.close()
    stop(process)
    truth = [row["data"] for row in rows(tmp_path / "truth")]
    assert all(as_text(dict(reading.data)) in truth for reading in readings)
    assert not (tmp_path / "port").is_symlink()


async def test_a_meter_that_is_unplugged_comes_back_under_the_same_link(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start("meter-sml", "--interval-s", "0.02", "--unplug", "0.3")
    driver = Sml("meter-1", SmlSettings(str(tmp_path / "port")))
    losses = 0
    async with asyncio.timeout(20):
        while losses < 3 or driver.counters.readings < 10:
            try:
                await driver.open()
                await take(driver, 1000)
            except DeviceError:
                losses += 1
                await asyncio.sleep(0.005)
    stop(process)


async def test_a_validators_truth_tells_each_tap_sent_and_each_acknowledged(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start("fare-validator", "--interval-s", "0.02")
    driver = Jsonl("validator-1", JsonlSettings(str(tmp_path / "port")))
    await driver.open()
    recorded: dict[str | None, Any] = {}

    async def record() -> None:
        async for reading in driver.readings():
            recorded[reading.id] = reading.data
            await driver.answer(reading, Recorded())

    task = asyncio.create_task(record())
    async with asyncio.timeout(20):
        while len([row for row in rows(tmp_path / "truth") if row["sure"]]) < 20:  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.02)
    task.cancel()
    await driver.close()
    stop(process)
    truth = rows(tmp_path / "truth")
    sent = {row["number"]: row["data"] for row in truth if not row["sure"]}
    acknowledged = [row["number"] for row in truth if row["sure"]]
    assert len(acknowledged) == len(set(acknowledged))
    assert all(sent[number] in recorded.values() for number in acknowledged)


def test_help_shows_an_example() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "devices.sim", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert "example: python -m devices.sim" in shown.stdout
