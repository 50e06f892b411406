"""MJPEG over HTTP, as network cameras and mjpg-streamer serve it: an endless `multipart/x-mixed-replace` answer."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from collections.abc import Callable

    from devices.sim.camera.pose import Image

_BOUNDARY = "frame"
_QUALITY = 90
_ANSWER = (
    "HTTP/1.0 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\n"
    f"Content-Type: multipart/x-mixed-replace; boundary={_BOUNDARY}\r\n\r\n--{_BOUNDARY}\r\n"
)


class MjpegServer:
    """Sends every picture to whoever asks, whatever for.

    `wall_clock` turns CLOCK_MONOTONIC (µs) into what the camera takes for UTC (seconds), which it tells in each part's
    header `X-Timestamp`; without it there is no such header. With `authorization` it answers 401 to who does not send
    that header.
    """

    def __init__(self, wall_clock: Callable[[int], float] | None = None, authorization: str | None = None) -> None:
        self._wall_clock = wall_clock
        self._authorization = authorization
        self._port = 0
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}/video"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def send(self, image: Image, taken_us: int) -> None:
        """A part to each client that took the one before."""
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n"
        if self._wall_clock is not None:
            head += f"X-Timestamp: {self._wall_clock(taken_us):.6f}\r\n"
        part = head.encode() + b"\r\n" + jpeg + f"\r\n--{_BOUNDARY}\r\n".encode()
        for client in self._clients:
            if not client.transport.get_write_buffer_size():
                client.write(part)

    async def stop(self) -> None:
        """Cut all connections."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for client in self._clients:
            client.transport.abort()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if self._authorization is not None and f"Authorization: {self._authorization}\r\n" not in request:
                writer.write(b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="camera"\r\n\r\n')
            else:
                writer.write(_ANSWER.encode())
                self._clients.add(writer)
                await reader.read()  # nothing more comes but the end
        self._clients.discard(writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
