"""The two streams of one camera: a large one, and the same pictures in a quarter of the pixels."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from devices.sim.camera.pose import Image
    from devices.sim.camera.serve_stream import StreamServer


class StreamPair:
    """`main` sends pictures as they are, `main_late_s` later than `sub`: to encode large ones takes a camera longer.

    Each stream counts its own time, from whenever somebody first looked at it.
    """

    def __init__(self, main: StreamServer, sub: StreamServer, main_late_s: float = 0.0) -> None:
        self.main, self.sub = main, sub
        self._main_late_s = main_late_s

    @property
    def url(self) -> str:
        """Where `sub` is."""
        return self.sub.url

    async def start(self) -> None:
        """Listen, with both."""
        await self.main.start()
        await self.sub.start()

    def send(self, image: Image, taken_us: int) -> None:
        """To both."""
        height_px, width_px = image.shape[:2]
        small = cv2.resize(image, (width_px // 2, height_px // 2), interpolation=cv2.INTER_AREA)
        self.sub.send(np.asarray(small, np.uint8), taken_us)
        asyncio.get_running_loop().call_later(self._main_late_s, self.main.send, image, taken_us)

    async def stop(self) -> None:
        """Cut all connections."""
        await self.main.stop()
        await self.sub.stop()
