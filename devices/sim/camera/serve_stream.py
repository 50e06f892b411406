"""The video server of GStreamer's as a process of its own, fed through a pipe: RTSP, or MPEG-TS over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from devices.sim.camera.pose import Image

DEBIAN_PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).with_name("serve_gstreamer.py")
_STARTS_WITHIN_S = 20.0
_STOPS_WITHIN_S = 5.0


class VideoServer(Protocol):
    """How a camera's pictures reach who connects. A server that is stopped may be started again, in the same place."""

    @property
    def url(self) -> str:
        """Where it is; known after the first `start`."""

    async def start(self) -> None:
        """Listen."""

    def send(self, image: Image, taken_us: int) -> None:
        """A picture; `taken_us` is CLOCK_MONOTONIC by the camera's clock. Who is not ready for it misses it."""

    async def stop(self) -> None:
        """Cut all connections, as a camera that loses power; idempotent."""


class StreamServer:
    """`transport`: `rtsp` or `mpeg-ts`; `codec`: `h264` or `h265`.

    Raises OSError from `start` without Debian's packages (serve_gstreamer.py).
    """

    def __init__(self, transport: str, width_px: int, height_px: int, fps: int, codec: str = "h264") -> None:
        self._transport = transport
        self._arguments = (codec, str(width_px), str(height_px), str(fps))
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"rtsp://127.0.0.1:{self._port}/live" if self._transport == "rtsp" else f"tcp://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the process and wait until it listens."""
        arguments = (str(PROGRAM), self._transport, *self._arguments, str(self._port))
        self._process = await asyncio.create_subprocess_exec(
            DEBIAN_PYTHON, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _STARTS_WITHIN_S)
        if not line:
            await self.stop()
            raise OSError(f"{PROGRAM.name} did not start; see what it said, and which packages it needs")
        self._port = int(line)

    def send(self, image: Image, taken_us: int) -> None:
        """Into the pipe, if what was sent before is out of it."""
        if self._process is None:
            return
        pipe = self._process.stdin
        assert pipe is not None
        if not pipe.is_closing() and not pipe.transport.get_write_buffer_size():
            pipe.write(struct.pack("<q", taken_us * 1000) + image.tobytes())

    async def stop(self) -> None:
        """Kill the process."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.wait_for(process.wait(), _STOPS_WITHIN_S)
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await process.stdin.wait_closed()
