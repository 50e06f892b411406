"""Simulated cameras for tests of what reads them."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from devices.sim.camera.camera import Camera
from devices.sim.camera.serve_stream import DEBIAN_PYTHON, PROGRAM
from devices.sim.device import DeviceClock, Placement, Truth
from devices.sim.faults import FaultRates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@cache
def _has_stream_server() -> bool:
    command = [DEBIAN_PYTHON, str(PROGRAM), "mpeg-ts", "h264", "64", "64", "5", "0"]
    with contextlib.suppress(FileNotFoundError, subprocess.TimeoutExpired):
        served = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        return served.returncode == 0
    return False


def needs(transport: str) -> None:
    """Skip the test where the Debian packages are missing that serve this transport."""
    if transport in ("rtsp", "mpeg-ts") and not _has_stream_server():
        pytest.skip("GStreamer's RTSP server or encoder is missing: make debian-packages")


@contextlib.asynccontextmanager
async def running_camera(
    folder: Path, transport: str, *, truncate: float = 0.0, drift_ppm: float = 0.0, **options: Any
) -> AsyncIterator[Camera]:
    """A camera that shows test cards, or what `scene` says."""
    needs(transport)
    placement = Placement(
        "camera-1",
        1,
        folder,
        clock=DeviceClock(drift_ppm=drift_ppm),
        faults=FaultRates(truncate=truncate),
        options={"transport": transport, "scene": "card", **options},
    )
    camera = Camera(placement, Truth())
    await camera.start()
    running = asyncio.ensure_future(camera.run())
    try:
        yield camera
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
