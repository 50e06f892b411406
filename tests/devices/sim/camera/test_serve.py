from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.camera.calibration.calibration import load_calibration
from devices.camera.source.settings import SourceSettings
from devices.camera.source.source import Source
from devices.sim.camera.camera import Camera
from devices.sim.camera.scene import Scene
from devices.sim.camera.serve_card import TestCard, taken_us_of
from devices.sim.camera.traffic import free_flow
from devices.sim.device import Placement, Truth
from devices.sim.faults import FaultRates
from ledger_sync.proof.event_types import event_type
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SEED = 10


@contextlib.asynccontextmanager
async def running(folder: Path, truth: io.StringIO | None = None, **options: Any) -> AsyncIterator[Camera]:
    faults = FaultRates(unplug=float(options.pop("unplug", 0.0)))
    camera = Camera(Placement("camera-1", SEED, folder, faults=faults, options=options), Truth(truth))
    await camera.start()
    task = asyncio.ensure_future(camera.run())
    try:
        yield camera
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@given(st.integers(0, 2**32 - 1), st.sampled_from([(640, 360), (320, 180), (1280, 720)]))
def test_a_test_card_tells_when_it_was_taken(taken_us: int, size: tuple[int, int]) -> None:
    assert taken_us_of(TestCard(*size).render(taken_us / 1_000_000)) == taken_us


async def test_a_file_holds_the_scene_and_beside_it_lies_its_calibration(tmp_path: Path) -> None:
    async with running(tmp_path, transport="file", vehicles=1, fps=5) as camera:
        settings = camera.settings()
        source = Source(SourceSettings(settings["port"]))
        source.start()
        frame = await asyncio.to_thread(source.newest, 5)
        await asyncio.to_thread(source.close)
        calibration = load_calibration(tmp_path / "camera-1.toml")
        assert settings["calibration"] == str(tmp_path / "camera-1.toml")
        assert frame is not None
        assert frame.image.shape == (calibration.height_px, calibration.width_px, 3)


async def test_the_truth_has_each_vehicle_when_the_end_that_is_seen_passes_the_count_line(tmp_path: Path) -> None:
    scene = free_flow(2, SEED)
    assert isinstance(scene, Scene)
    lines = [one for one in scene.crossings() if one.line == "count_line"]
    ends_s = [one.front_s if scene.layout.lane(one.lane).approaching else one.rear_s for one in lines]
    seen_s = sorted(at_s for at_s in ends_s if at_s is not None)
    told = io.StringIO()
    began_s = time.time()
    async with running(tmp_path, told, transport="mjpeg", vehicles=2, fps=10):
        await until(lambda: told.getvalue().count("\n") == len(seen_s), "all had passed", seen_s[-1] + 5)
    rows = [json.loads(line) for line in told.getvalue().splitlines()]
    for row, at_s in zip(rows, seen_s, strict=True):
        assert row["type"] == "vehicle.passage"
        assert event_type("vehicle.passage").check(row["data"]) == row["data"]
        assert row["at"] - began_s == pytest.approx(at_s, abs=1.0)


async def test_a_camera_that_loses_power_comes_back_in_the_same_place(tmp_path: Path) -> None:
    async with running(tmp_path, transport="mjpeg", scene="card", unplug=0.2, reboot_s=0.3) as camera:
        source = Source(SourceSettings(camera.settings()["port"]))
        source.start()
        await until(lambda: source.counters.losses >= 3 and source.counters.openings >= 3, "it was lost, and came back")
        await asyncio.to_thread(source.close)
