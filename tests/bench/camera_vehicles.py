"""Counting: how many vehicles are counted right, and what looking at a frame costs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from nacl.public import PrivateKey

from devices.camera.driver import Camera
from devices.camera.evidence.sets import EVIDENCE_ROLES
from devices.camera.pipeline import Pipeline, PipelineRules
from devices.camera.settings import CameraSettings
from devices.sim.camera.enforcement import speeding
from devices.sim.camera.light import DAY, NIGHT, OVERCAST, RAIN
from devices.sim.camera.traffic import FOUR_LANES, MAST, TWO_WAY, free_flow, queue
from tests.support.clips import LIMIT_KM_H, SMALL_POSE, write_clip
from tests.support.counted_scenes import (
    FPS,
    HIDDEN_MAX_S,
    calibration_of,
    counted,
    crossings_of,
    frames_of,
    share_right,
)

if TYPE_CHECKING:
    from devices.sim.camera.scene import Scene

LIMIT_MM_S = 13_889
COST_FRAMES = 300
QUEUE_LINE_M = 16.0
PLATES_S = 8.0


def free_scenes() -> list[Scene]:
    """By all lights."""
    return [
        free_flow(16, 21, light=DAY),
        free_flow(16, 22, layout=FOUR_LANES),
        free_flow(12, 23, light=OVERCAST),
        free_flow(12, 24, light=NIGHT),
        free_flow(12, 25, light=RAIN),
        free_flow(12, 54, light=NIGHT, layout=FOUR_LANES),
        free_flow(12, 55, light=RAIN),
    ]


def queue_scenes() -> list[Scene]:
    """Seen from a mast, counted near it, as a queue has to be: lower or farther nobody sees the car behind a lorry."""
    two_way, four_lanes = (replace(layout, count_line_m=QUEUE_LINE_M) for layout in (TWO_WAY, FOUR_LANES))
    return [
        queue(12, 26, pose=MAST, layout=two_way),
        queue(12, 27, pose=MAST, layout=two_way, light=NIGHT),
        queue(12, 42, pose=MAST, layout=four_lanes),
        queue(12, 43, pose=MAST, layout=two_way, light=OVERCAST),
        queue(12, 45, pose=MAST, layout=two_way, light=RAIN),
    ]


def camera_counts() -> dict[str, float]:
    """`camera_count_rendered`: 1 less the share of vehicles that were missed or made up, over all scenes.

    `camera_count_free` and `camera_count_queue` are the same of each kind.
    """
    cv2.setNumThreads(1)
    free = [counted(scene, crossings_of(scene)) for scene in free_scenes()]
    dense = [counted(scene, crossings_of(scene), HIDDEN_MAX_S) for scene in queue_scenes()]
    return {
        "camera_count_rendered": share_right([*free, *dense]),
        "camera_count_free": share_right(free),
        "camera_count_queue": share_right(dense),
    }


def camera_cost() -> dict[str, float]:
    """`camera_core_share` at 15 frames a second of 640x360, counting and measuring, without decoding."""
    cv2.setNumThreads(1)
    scene = free_flow(16, 31)
    pipeline = Pipeline(calibration_of(scene), PipelineRules(60, records_passages=True, limit_mm_s=LIMIT_MM_S))
    pipeline.is_view_confirmed = True
    spent_s = 0.0
    for frame in islice(frames_of(scene), COST_FRAMES):
        begin = time.process_time()
        pipeline.take(frame)
        spent_s += time.process_time() - begin
    return {"camera_core_share": spent_s / COST_FRAMES * FPS}


def camera_memory() -> dict[str, float]:
    """`camera_rss_mb`: the most that a camera's process takes at 640x360, with decoding, speed and plates."""
    with tempfile.TemporaryDirectory() as name:
        clip = write_clip(Path(name) / "clip", replace(speeding(2, 3), pose=SMALL_POSE))
        settings = CameraSettings(str(clip.video), clip.calibration, speed_limit_km_h=LIMIT_KM_H, plates="eu")
        return {"camera_rss_mb": asyncio.run(_peak_mb(settings, Path(name) / "evidence", clip.end_s))}


async def _peak_mb(settings: CameraSettings, folder: Path, seconds: float) -> float:
    camera = Camera("cam-1", settings)
    camera.use_evidence(folder, {role: bytes(PrivateKey.generate().public_key) for role in EVIDENCE_ROLES})
    await camera.open()
    try:
        child = _newest_child()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds + PLATES_S):
                async for _ in camera.readings():
                    pass
        return _peak_of(child)
    finally:
        await camera.close()


def _newest_child() -> str:
    return Path("/proc/self/task", str(os.getpid()), "children").read_text().split()[-1]


def _peak_of(process: str) -> float:
    """Resident memory at its highest, MB (proc(5), VmHWM)."""
    return int(Path("/proc", process, "status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
