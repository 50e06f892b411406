from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from devices.camera.frame import ClockClass, Frame
from devices.camera.source.settings import SourceSettings
from devices.camera.source.source import Source
from devices.sim.camera.serve_card import taken_us_of
from devices.sim.camera.serve_stream import StreamServer
from tests.support.video import running_camera
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from devices.sim.camera.camera import Camera

BACK_WITHIN_S = 5.0
TICK_US = 1_000_000 // 90_000 + 1
"""Times in RTP and MPEG-TS count 90,000 a second."""


async def frames(source: Source, enough: Callable[[Frame], bool], deadline_s: float) -> list[Frame]:
    """Frames up to the first that is enough; fails if none of them comes in time."""
    found: list[Frame] = []
    until_s = time.monotonic() + deadline_s
    while not found or not enough(found[-1]):
        assert time.monotonic() < until_s, f"{len(found)} frames in {deadline_s} s; {source.trouble}"
        frame = await asyncio.to_thread(source.newest, 0.1)
        if frame is not None:
            found.append(frame)
    return found


@contextlib.asynccontextmanager
async def opened(camera: Camera) -> AsyncIterator[Source]:
    source = Source(SourceSettings(camera.settings()["port"]))
    source.start()
    try:
        yield source
    finally:
        await asyncio.to_thread(source.close)


async def proven(folder: Path, transport: str) -> list[Frame]:
    """Frames of a camera that loses and delays pictures, for three seconds after its clock is believed."""
    began_us = 0

    def is_proven(frame: Frame) -> bool:
        nonlocal began_us
        began_us = began_us or (frame.arrival_us if frame.clock is not ClockClass.ARRIVAL else 0)
        return bool(began_us) and frame.arrival_us - began_us > 3_000_000

    async with running_camera(folder, transport, truncate=0.1, jitter_s=0.012) as camera, opened(camera) as source:
        return await frames(source, is_proven, 25)


async def test_presentation_times_are_when_pictures_were_taken_though_one_in_ten_is_lost_and_none_is_on_time(
    tmp_path: Path,
) -> None:
    clocks = {"rtsp": ClockClass.RTSP, "mpeg-ts": ClockClass.CONTAINER, "mjpeg": ClockClass.MJPEG}
    folders = {transport: tmp_path / transport for transport in clocks}
    for folder in folders.values():
        folder.mkdir()
    of_transports = await asyncio.gather(*(proven(folder, transport) for transport, folder in folders.items()))
    for (transport, clock), of_transport in zip(clocks.items(), of_transports, strict=True):
        last = [frame for frame in of_transport if frame.epoch == of_transport[-1].epoch]
        assert {frame.clock for frame in last} == {clock}, transport
        assert len(last) > 30, transport
        offsets = [frame.presentation_us - taken_us_of(frame.image) for frame in last]
        assert max(offsets) - min(offsets) <= 2 * TICK_US, transport
        periods = {round((b.presentation_us - a.presentation_us) / 66_667) for a, b in pairwise(last)}
        assert len(periods) > 1, f"{transport}: no picture was lost"


@pytest.mark.parametrize("transport", ["rtsp", "mpeg-ts"])
async def test_frames_flow_again_after_a_server_was_frozen(tmp_path: Path, transport: str) -> None:
    async with running_camera(tmp_path, transport) as camera, opened(camera) as source:
        before = (await frames(source, lambda _: True, 10))[-1]
        server = camera.server
        assert isinstance(server, StreamServer)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGSTOP)
        frozen_s = time.monotonic()
        while source.counters.losses < 2:
            await asyncio.to_thread(source.newest, 0.1)
            assert time.monotonic() < frozen_s + 15, "nobody noticed that it is frozen"
        thawed_us = time.monotonic_ns() // 1000
        os.kill(server.pid, signal.SIGCONT)
        after = await frames(source, lambda frame: frame.arrival_us > thawed_us, BACK_WITHIN_S)
        assert after[-1].epoch > before.epoch
        assert source.trouble is None


@pytest.mark.parametrize("transport", ["rtsp", "mpeg-ts", "mjpeg"])
async def test_frames_flow_again_after_a_camera_was_rebooted(tmp_path: Path, transport: str) -> None:
    async with running_camera(tmp_path, transport) as camera, opened(camera) as source:
        before = (await frames(source, lambda _: True, 10))[-1]
        server = camera.server
        assert server is not None
        await server.stop()
        while source.counters.losses < 2:
            await asyncio.to_thread(source.newest, 0.1)
        assert source.trouble is not None
        assert source.trouble.startswith(camera.settings()["port"].rpartition("/")[0])
        await server.start()
        back_us = time.monotonic_ns() // 1000
        after = await frames(source, lambda frame: frame.arrival_us > back_us, BACK_WITHIN_S)
        assert after[-1].epoch > before.epoch


async def test_a_stream_that_stays_open_and_silent_is_opened_anew(tmp_path: Path) -> None:
    async with running_camera(tmp_path, "mjpeg", freezes=[[0.5, 4.0]]) as camera, opened(camera) as source:
        await frames(source, lambda frame: taken_us_of(frame.image) > 4_000_000, 4.0 + BACK_WITHIN_S)
        assert source.counters.losses > 0


async def test_mjpeg_without_time_stamps_is_timed_by_arrival(tmp_path: Path) -> None:
    async with running_camera(tmp_path, "mjpeg", timestamps=False) as camera, opened(camera) as source:
        found = await frames(source, lambda frame: taken_us_of(frame.image) > 1_000_000, 5)
        assert {frame.clock for frame in found} == {ClockClass.ARRIVAL}
        assert all(frame.presentation_us == frame.arrival_us for frame in found)


async def test_frames_that_nobody_took_are_dropped_and_counted(tmp_path: Path) -> None:
    async with running_camera(tmp_path, "mjpeg") as camera, opened(camera) as source:
        await frames(source, lambda _: True, 5)
        await until(lambda: source.counters.frames >= 10)
        newest = (await frames(source, lambda _: True, 1))[-1]
        assert source.counters.dropped >= 8
        assert time.monotonic_ns() // 1000 - newest.arrival_us < 500_000
