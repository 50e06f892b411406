"""The TCP connection of a site, which connects to its supervisor, and not the other way round."""

from __future__ import annotations

import asyncio
import socket

from devices.driver import DeviceError
from devices.wire.tcp_line import READ_BYTES_MAX, TcpLine

SITE_DEADLINE_S = 20.0
"""A site connects again 10 s after it lost its supervisor, by the standard's default."""


class SiteLine(TcpLine):
    """A `TcpLine` that waits at `tcp://host:port` for the one connection it then is.

    While that lasts nobody else can connect: a site has one connection to its supervisor.
    """

    async def open(self) -> None:
        """Listen, and take the first that connects; waits as long as nobody does. Raises DeviceError."""
        await self.close()
        loop = asyncio.get_running_loop()
        try:
            (family, _, _, _, address), *_ = await loop.getaddrinfo(
                self._host, self._tcp_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            with socket.create_server(address[:2], family=family) as listening:
                listening.settimeout(0)
                site, _ = await loop.sock_accept(listening)
            streams = await asyncio.open_connection(sock=site, limit=READ_BYTES_MAX)
        except OSError as error:
            raise DeviceError(
                f"{self.port}: cannot listen there ({error.strerror or error}); stop what holds the port, "
                "or correct `port`"
            ) from error
        self._take(streams)
