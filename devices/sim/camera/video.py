"""A scene as a camera's frames: with their true times, with a stream's losses, or in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from devices.sim.camera.pose import Image
    from devices.sim.camera.scene import Scene


class TimedFrame(NamedTuple):
    """A picture and when it was truly taken, in seconds of its scene."""

    t_s: float
    image: Image


@dataclass(frozen=True)
class StreamFaults:
    """`drop`: the share of frames that is lost. `jitter_s`: standard deviation of the time between two exposures.

    `freezes`: (from, to) in seconds: no frames come between.
    """

    drop: float = 0.0
    jitter_s: float = 0.0
    freezes: tuple[tuple[float, float], ...] = ()


def capture_times(duration_s: float, fps: float, faults: StreamFaults = StreamFaults(), seed: int = 1) -> list[float]:
    """When frames that arrive were taken (seconds), in order."""
    random = np.random.default_rng(seed)
    planned = np.arange(round(duration_s * fps)) / fps
    # Half a period of jitter keeps the order.
    shifts = np.clip(random.normal(0, faults.jitter_s, len(planned)), -0.45 / fps, 0.45 / fps)
    kept = random.random(len(planned)) >= faults.drop
    times = [float(t) for t in np.maximum(planned + shifts, 0.0)[kept]]
    return [t for t in times if not any(start <= t < end for start, end in faults.freezes)]


def frames(
    scene: Scene, fps: float = 25.0, faults: StreamFaults = StreamFaults(), seed: int = 1
) -> Iterator[TimedFrame]:
    """The scene from 0 to its end."""
    for t_s in capture_times(scene.duration_s, fps, faults, seed):
        yield TimedFrame(t_s, scene.render(t_s))


def write_video(scene: Scene, path: Path, fps: float = 25.0, start_s: float = 0.0, end_s: float | None = None) -> int:
    """Write an MP4 of even frame intervals that cv2.VideoCapture reads; gives the number of frames.

    Raises OSError where it cannot be written.
    """
    size = (scene.pose.width_px, scene.pose.height_px)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    if not writer.isOpened():
        raise OSError(f"{path}: no video can be written there")
    end_s = scene.duration_s if end_s is None else end_s
    count = round((end_s - start_s) * fps)
    try:
        for index in range(count):
            writer.write(scene.render(start_s + index / fps))
    finally:
        writer.release()
    return count
