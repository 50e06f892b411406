"""The wire of simulated Modbus meters: an RS-485 bus on a pseudo-terminal, or a Modbus TCP server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNPLUGGED_S = 0.3
_REQUEST_BYTES = 8
_HEADER_BYTES = 7
_REQUEST_BODY_BYTES = 6


class Unit(Protocol):
    """A meter on the wire."""

    def answer(self, function: int, address: int, count: int) -> bytes:
        """The answer's bytes from the function code on."""

    async def send(self, frame: bytes, out: Callable[[bytes], int]) -> bool:
        """Send an answer with the unit's faults through `out`, which gives how many bytes were taken.

        Gives whether the plug is pulled now.
        """


def crc16(data: bytes) -> bytes:
    """The CRC of MODBUS over Serial Line V1.02 clause 6.2.2, worked out bit by bit; low byte first."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return bytes((register & 0xFF, register >> 8))


class SerialWire:
    """An RS-485 bus: all units hear each request, the one that is meant answers."""

    def __init__(self, link: Path) -> None:
        self.units: dict[int, Unit] = {}
        self.port = str(link)
        self._terminal = PseudoTerminal(link)
        self._heard = bytearray()

    async def serve(self) -> None:
        """Answer until cancelled."""
        try:
            while True:
                self._heard += await self._terminal.receive()
                while len(self._heard) >= _REQUEST_BYTES:
                    frame = bytes(self._heard[:_REQUEST_BYTES])
                    if crc16(frame[:-2]) != frame[-2:]:
                        del self._heard[0]
                        continue
                    del self._heard[:_REQUEST_BYTES]
                    await self._answer(frame)
        finally:
            self._terminal.unplug()

    async def _answer(self, request: bytes) -> None:
        unit = self.units.get(request[0])
        if unit is None:
            return
        answer = request[:1] + unit.answer(request[1], _word(request, 2), _word(request, 4))
        if await unit.send(answer + crc16(answer), self._terminal.write):
            self._terminal.unplug()
            await asyncio.sleep(UNPLUGGED_S)
            self._heard.clear()
            self._terminal.replug()


class TcpWire:
    """A Modbus TCP server on 127.0.0.1, such as an RS-485 gateway: several units behind one port."""

    def __init__(self) -> None:
        self.units: dict[int, Unit] = {}
        self.port = ""
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen at a free port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def serve(self) -> None:
        """Answer until cancelled."""
        assert self._server is not None, "not started"
        async with self._server:
            await self._server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def out(frame: bytes) -> int:
            writer.write(frame)
            return len(frame)

        with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # the gateway hung up
            while await self._answered(reader, out):
                await writer.drain()
        writer.close()

    async def _answered(self, reader: asyncio.StreamReader, out: Callable[[bytes], int]) -> bool:
        """Serve one request; gives whether the connection goes on."""
        head = await reader.readexactly(_HEADER_BYTES)
        body = await reader.readexactly(_word(head, 4) - 1)
        unit = self.units.get(head[6])
        if unit is None or len(body) < _REQUEST_BODY_BYTES - 1:
            return unit is None
        answer = unit.answer(body[0], _word(body, 1), _word(body, 3))
        frame = head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:] + answer
        return not await unit.send(frame, out)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")
