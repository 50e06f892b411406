"""An RS-485 line of two pseudo-terminals, which a test can tap and cut in each direction."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from devices.sim.pty import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass
class Bridge:
    """`to_reader` and `from_reader`: what went by; nothing goes by while a direction is cut."""

    port: str
    to_reader: bytearray = field(default_factory=bytearray)
    from_reader: bytearray = field(default_factory=bytearray)
    to_reader_cut: bool = False
    from_reader_cut: bool = False

    def mend(self) -> None:
        self.to_reader_cut = self.from_reader_cut = False


@contextlib.asynccontextmanager
async def bridged(reader_port: str, link: Path) -> AsyncIterator[Bridge]:
    """Lead from the reader's port to a port of the gateway's own."""
    end = os.open(reader_port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(end)
    loop = asyncio.get_running_loop()
    with PseudoTerminal(link) as terminal:
        bridge = Bridge(terminal.path)

        def from_reader() -> None:
            data = os.read(end, 4096)
            if not bridge.from_reader_cut:
                bridge.from_reader.extend(data)
                terminal.write(data)

        async def to_reader() -> None:
            while True:
                data = await terminal.receive()
                if not bridge.to_reader_cut:
                    bridge.to_reader.extend(data)
                    os.write(end, data)

        loop.add_reader(end, from_reader)
        task = asyncio.create_task(to_reader())
        try:
            yield bridge
        finally:
            task.cancel()
            loop.remove_reader(end)
            os.close(end)
