"""A TCP link to a broker that loses on purpose: it sees each MQTT packet and may drop it, or cut the connection.

async with lossy_link(broker.port) as link:
    link.to_client = lambda packet: Fate.CUT if packet.type == PUBACK else Fate.PASS
    ... connect to link.port ...
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PUBLISH, PUBACK = 3, 4
_CONTINUES = 0x80


class Fate(enum.Enum):
    """What becomes of a packet: it goes on; it is lost; it is lost and with it the connection."""

    PASS = enum.auto()
    DROP = enum.auto()
    CUT = enum.auto()


@dataclass(frozen=True, slots=True)
class Packet:
    """One MQTT control packet, whole."""

    raw: bytes

    @property
    def type(self) -> int:
        """Its MQTT packet type, from 1."""
        return self.raw[0] >> 4


def _pass(_packet: Packet) -> Fate:
    return Fate.PASS


@dataclass
class LossyLink:
    """What happens to packets on their way; may be changed at any time."""

    port: int = 0
    to_broker: Callable[[Packet], Fate] = _pass
    to_client: Callable[[Packet], Fate] = _pass
    connections: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Cut all connections now."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, broker_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side, or a packet's fate, ends it."""
        self.connections += 1
        try:
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", broker_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, broker_writer}
        self._writers |= both
        try:
            ways = (
                asyncio.create_task(self._carry(reader, broker_writer, lambda packet: self.to_broker(packet))),  # noqa: PLW0108 - it may change
                asyncio.create_task(self._carry(broker_reader, writer, lambda packet: self.to_client(packet))),  # noqa: PLW0108 - it may change
            )
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for one in both:
                one.transport.abort()
            self._writers -= both

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate_of: Callable[[Packet], Fate]
    ) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                packet = await _read_packet(reader)
                fate = fate_of(packet)
                if fate is Fate.CUT:
                    return
                if fate is Fate.PASS:
                    writer.write(packet.raw)
                    await writer.drain()


async def _read_packet(reader: asyncio.StreamReader) -> Packet:
    """MQTT 5, 2.1.1: a byte with the type, the length of the rest in 7-bit groups, the rest."""
    head = await reader.readexactly(2)
    while head[-1] & _CONTINUES:
        head += await reader.readexactly(1)
    length = sum((byte & ~_CONTINUES) << 7 * place for place, byte in enumerate(head[1:]))
    return Packet(head + await reader.readexactly(length))


@contextlib.asynccontextmanager
async def lossy_link(broker_port: int) -> AsyncIterator[LossyLink]:
    """A link to the broker at `broker_port`, at a port of its own."""
    link = LossyLink()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await link.serve(broker_port, reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        link.cut()
        await asyncio.sleep(0)
