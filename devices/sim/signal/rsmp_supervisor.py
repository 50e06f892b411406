"""A simulated supervisory system: what owns a site where the gateway only listens."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .rsmp_connection import RecentPackets, ack_of, hang_up, new_message, packed, packets, understood, w3c

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter


class RsmpSupervisor:
    """Accepts sites on loopback, subscribes to S0001 of each component, acknowledges everything.

    `update_rate` in seconds, "0": on change only. `updates`: how many StatusUpdates came.
    """

    def __init__(self, *, update_rate: str = "0") -> None:
        self.port = 0
        self._update_rate = update_rate
        self._server: asyncio.Server | None = None
        self._writers: set[StreamWriter] = set()
        self.wire = RecentPackets()
        self.updates = 0
        self.connections = 0

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut all connections, and listen no more."""
        if self._server is not None:
            self._server.close()
            for writer in set(self._writers):
                hang_up(writer)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        greeted = False
        async for packet in packets(reader):
            self.wire.received.append(packet)
            message = understood(packet)
            if message is None or message.get("type") in ("MessageAck", "MessageNotAck"):
                continue
            self._send(writer, ack_of(message))
            if message["type"] == "Version":
                about = {one: message[one] for one in ("RSMP", "siteId", "SXL")}
                self._send(writer, new_message("Version", **about))
            elif message["type"] == "Watchdog" and not greeted:
                greeted = True
                self._send(writer, new_message("Watchdog", wTs=w3c(datetime.now(UTC))))
            elif message["type"] == "AggregatedStatus":
                self._send(writer, self._subscription(message["cId"]))
            elif message["type"] == "StatusUpdate":
                self.updates += 1
        self._writers.discard(writer)
        hang_up(writer)

    def _subscription(self, component: str) -> dict[str, Any]:
        wanted = {"sCI": "S0001", "n": "signalgroupstatus", "uRt": self._update_rate, "sOc": self._update_rate == "0"}
        return new_message("StatusSubscribe", ntsOId="", xNId="", cId=component, sS=[wanted])

    def _send(self, writer: StreamWriter, message: dict[str, Any]) -> None:
        packet = packed(message)
        self.wire.sent.append(packet[:-1])
        writer.write(packet)
