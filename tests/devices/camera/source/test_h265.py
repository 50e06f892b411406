"""H.265 as cameras send it: read like H.264, as the small stream and as the large one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from devices.camera.source.main_stream import MainStream
from devices.camera.source.settings import SourceSettings
from devices.camera.source.source import Source
from devices.sim.camera.serve_card import taken_us_of
from tests.support.video import running_camera
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from devices.camera.frame import Frame

TICKS_US = 30
"""Times in RTP and MPEG-TS count 90,000 a second."""


@pytest.mark.parametrize("transport", ["rtsp", "mpeg-ts"])
async def test_h265_is_read_with_the_times_at_which_its_pictures_were_taken(tmp_path: Path, transport: str) -> None:
    async with running_camera(tmp_path, transport, codec="h265", jitter_s=0.01) as camera:
        source, main = (
            Source(SourceSettings(camera.settings()["port"])),
            MainStream(SourceSettings(camera.settings()["port"])),
        )
        main.start()
        source.start()
        frames: list[Frame] = []

        def are_enough() -> bool:
            frame = source.newest(0.01)
            frames.extend([frame] if frame is not None else [])
            return len(frames) > 30 and len(main._packets._packets) > 30

        await until(are_enough, "pictures came over both")
        # The first pictures come all at once, late.
        for frame in frames[-10:]:
            found = await asyncio.to_thread(main.frame_at, frame.utc_us)
            assert found is not None
            assert found.image.shape == frame.image.shape
            # Times are those of arrival still, so that one may be the other's neighbour.
            assert abs(taken_us_of(found.image) - taken_us_of(frame.image)) <= 2 * 66_667 + TICKS_US
        taken = [taken_us_of(frame.image) for frame in frames]
        assert taken == sorted(set(taken))
        await asyncio.to_thread(source.close)
        await asyncio.to_thread(main.close)
