"""A server that says what it is told to: for answers that no real broker gives."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from broker.url import BrokerUrl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ScriptedBroker:
    """Answers what a client sends with the next packet of `script`; then stays silent, or closes.

    On plain sockets: asyncio's streams leave one that was accepted at the very end to the garbage collector.
    """

    def __init__(self, *script: bytes, close: bool = False) -> None:
        self.connections = 0
        self.closed = 0
        self.received = bytearray()
        self._script = script
        self._close = close

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[BrokerUrl]:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as sockets:
            listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.settimeout(0)
            tasks: set[asyncio.Task[None]] = set()

            def accept() -> None:
                with contextlib.suppress(BlockingIOError):
                    client = sockets.enter_context(listener.accept()[0])
                    client.settimeout(0)
                    self.connections += 1
                    tasks.add(loop.create_task(self._serve(client)))

            loop.add_reader(listener, accept)
            try:
                yield BrokerUrl("127.0.0.1", listener.getsockname()[1])
            finally:
                loop.remove_reader(listener)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError), client:
            for packet in self._script:
                self.received += await loop.sock_recv(client, 65536)
                await loop.sock_sendall(client, packet)
            while not self._close and (more := await loop.sock_recv(client, 65536)):
                self.received += more
        self.closed += 1
