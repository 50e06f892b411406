"""A UDP socket that talks to one host and port: what others send never arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from devices.driver import DeviceError

if TYPE_CHECKING:
    from devices.driver import WireCounters

SNMP_PORT = 161
OPEN_DEADLINE_S = 5.0
_WAITING_MAX = 16


def parse_udp_url(url: str) -> tuple[str, int]:
    """Host and port of `udp://host` or `udp://host:port`. Raises ValueError with a sentence."""
    mend = f"is {url!r}; must look like udp://192.0.2.7 or udp://192.0.2.7:161 (IPv6 in brackets)"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, SNMP_PORT if parts.port is None else parts.port
        (host or "").encode("idna")  # what the look-up would do: no empty or overlong labels
    except ValueError as error:  # UnicodeError too
        raise ValueError(mend) from error
    if parts.scheme != "udp" or not host or not port or parts.path or parts.query or parts.username is not None:
        raise ValueError(mend)
    return host, port


class UdpLink:
    """Datagrams to and from `udp://host:port`. Holds at most 16 that were not fetched; more are dropped and counted."""

    def __init__(self, url: str, counters: WireCounters) -> None:
        self._url = url
        self._address = parse_udp_url(url)
        self._counters = counters
        self._transport: asyncio.DatagramTransport | None = None
        self._received: asyncio.Queue[bytes | OSError] = asyncio.Queue()

    async def open(self) -> None:
        """Make the socket, within 5 s (a name may have to be looked up). Raises DeviceError."""
        await self.close()
        received: asyncio.Queue[bytes | OSError] = asyncio.Queue(_WAITING_MAX)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(OPEN_DEADLINE_S):
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Receiving(received, self._counters), remote_addr=self._address
                )
        except TimeoutError as error:
            raise DeviceError(f"{self._url}: its name was not found within {OPEN_DEADLINE_S:g} s; check it") from error
        except OSError as error:
            raise DeviceError(f"{self._url}: cannot be reached ({error.strerror or error}); check its name") from error
        self._transport, self._received = transport, received

    def send(self, datagram: bytes) -> None:
        """Send one datagram; that it arrives, nobody promises. Raises DeviceError when it is not open."""
        if self._transport is None:
            raise DeviceError(f"{self._url}: is not open; open it first")
        self._transport.sendto(datagram)

    async def receive(self) -> bytes:
        """The next datagram. Raises OSError when the host told that nobody listens there."""
        received = await self._received.get()
        if isinstance(received, OSError):
            raise received
        return received

    async def close(self) -> None:
        """Close the socket; idempotent."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


class _Receiving(asyncio.DatagramProtocol):
    def __init__(self, received: asyncio.Queue[bytes | OSError], counters: WireCounters) -> None:
        self._received = received
        self._counters = counters

    def datagram_received(self, data: bytes, _address: object) -> None:
        self._put(data)

    def error_received(self, error: Exception) -> None:
        self._put(error if isinstance(error, OSError) else OSError(str(error)))

    def _put(self, received: bytes | OSError) -> None:
        if self._received.full():
            self._counters.bytes_dropped += len(received) if isinstance(received, bytes) else 0
        else:
            self._received.put_nowait(received)
