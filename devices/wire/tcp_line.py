"""A TCP connection to a device, with the same four calls as a serial line."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from devices.driver import DeviceError

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

READ_BYTES_MAX = 4096
CONNECT_DEADLINE_S = 5.0
WRITE_DEADLINE_S = 2.0

# A cable that is pulled sends no FIN: the kernel asks after 10 s of silence and gives up after three more asks.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


def parse_tcp_url(url: str) -> tuple[str, int]:
    """Host and port of `tcp://host:port`. Raises ValueError with a sentence."""
    mend = f"is {url!r}; must look like tcp://192.0.2.7:4001 (IPv6 in brackets)"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # what the look-up would do: no empty or overlong labels
    except ValueError as error:  # UnicodeError too
        raise ValueError(mend) from error
    if parts.scheme != "tcp" or not host or not port or parts.path or parts.query or parts.username is not None:
        raise ValueError(mend)
    return host, port


class TcpLine:
    """One TCP connection that the gateway opens to a device at `tcp://host:port`."""

    def __init__(self, url: str) -> None:
        self.port = url
        self._host, self._tcp_port = parse_tcp_url(url)
        self._streams: tuple[StreamReader, StreamWriter] | None = None
        self._failure = f"{url}: is not open; open it first"

    async def open(self) -> None:
        """Connect within 5 s. Raises DeviceError."""
        await self.close()
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                streams = await asyncio.open_connection(self._host, self._tcp_port, limit=READ_BYTES_MAX)
        except TimeoutError as error:
            raise DeviceError(f"{self.port}: no answer within {CONNECT_DEADLINE_S:g} s; check its address") from error
        except OSError as error:
            raise DeviceError(f"{self.port}: cannot connect ({error.strerror or error}); check the device") from error
        self._take(streams)

    def _take(self, streams: tuple[StreamReader, StreamWriter]) -> None:
        for option in _KEEPALIVE:
            streams[1].get_extra_info("socket").setsockopt(*option)
        # From the first byte that the device does not take, `drain` waits: answers never pile up here.
        streams[1].transport.set_write_buffer_limits(high=0)
        self._streams = streams

    async def read(self) -> bytes:
        """Wait for bytes and return those that are there, 1 to 4096.

        Raises DeviceError when the device closes the connection, is cut off (noticed within about 25 s), or the
        line fails.
        """
        reader, _ = self._opened()
        try:
            data = await reader.read(READ_BYTES_MAX)
        except OSError as error:
            raise self._fail(f"the connection broke ({error.strerror or error}); check device and net") from error
        if not data:
            raise self._fail("the device closed the connection; check that it runs")
        return data

    async def write(self, data: bytes) -> None:
        """Write all of `data` within 2 s. Raises DeviceError; the line is then failed."""
        _, writer = self._opened()
        complete = False
        try:
            async with asyncio.timeout(WRITE_DEADLINE_S):
                writer.write(data)
                await writer.drain()
            complete = True
        except TimeoutError as error:
            sentence = f"the device took no bytes for {WRITE_DEADLINE_S:g} s; check that it reads its line"
            raise self._fail(sentence) from error
        except OSError as error:
            raise self._fail(f"the connection broke ({error.strerror or error}); check device and net") from error
        finally:
            if not complete:
                self._fail("a write was broken off; open it again")

    async def close(self) -> None:
        """Close the connection; whoever waits in `read` or `write` gets DeviceError."""
        streams = self._streams
        self._fail("is closed; open it again")
        if streams is not None:
            with contextlib.suppress(OSError):  # how a dead connection ends is of no interest
                await streams[1].wait_closed()

    def _opened(self) -> tuple[StreamReader, StreamWriter]:
        if self._streams is None:
            raise DeviceError(self._failure)
        return self._streams

    def _fail(self, what: str) -> DeviceError:
        if self._streams is not None:
            self._failure = f"{self.port}: {what}"
            _, writer = self._streams
            self._streams = None
            # abort, not close: bytes that the device does not take must not hold the connection. It also ends a
            # waiting `read`.
            writer.transport.abort()
        return DeviceError(self._failure)
