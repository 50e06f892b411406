from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import numpy as np

from devices.camera.calibration.frames import frames
from devices.camera.source import stream_clock
from devices.sim.camera.serve_mjpeg import MjpegServer

if TYPE_CHECKING:
    import pytest


async def test_frames_go_on_when_the_streams_own_time_is_found_to_run_true(monkeypatch: pytest.MonkeyPatch) -> None:
    # Which takes ten seconds; then a new epoch begins, at times that have nothing to do with those before.
    monkeypatch.setattr(stream_clock, "_BUCKET_US", 50_000)
    monkeypatch.setattr(stream_clock, "_BUCKETS_MIN", 3)
    server = MjpegServer(lambda taken_us: taken_us / 1_000_000)
    await server.start()

    async def send() -> None:
        began_ns = time.monotonic_ns()
        while True:
            server.send(np.zeros((36, 64, 3), np.uint8), (time.monotonic_ns() - began_ns) // 1000)
            await asyncio.sleep(0.02)

    sending = asyncio.create_task(send())
    found = asyncio.to_thread(lambda: list(frames(server.url, None, count=12, apart_s=0.05)))
    try:
        assert len(await asyncio.wait_for(found, 8)) == 12
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        await server.stop()
