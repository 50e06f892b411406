"""A simulated GPIO chip: a stand-in for what no test machine has, and for Linux's gpio-sim where that is not built in.

It does what the kernel does with a requested line (exclusive use, active-low, choice of edges, numbering, dropping the
oldest), over a Unix socket with one connection a request, in lines of text:

    gateway: request <both|active> <active-high|active-low> <line>
    chip:    now <0|1>                  the level, 1 is active; or: refused <why>, and it hangs up
    chip:    edge <number> <0|1>        each edge that was asked for; numbers count from 1, dropped ones included

Lines are as after debouncing; resistors do not matter here.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable
    from pathlib import Path

_REQUEST = re.compile(rb"request (both|active) (active-high|active-low) (.{1,200})\n")
_LINE_BYTES_MAX = 256


@dataclass(slots=True)
class _Request:
    writer: StreamWriter
    only_active: bool
    active_low: bool
    edges: int = 0


class SimulatedChip:
    """A chip with one line, at the socket `path`.

    `on_request` is called when the line is given, before its level is told, with whether it is active then.
    """

    def __init__(self, path: Path, line: str, on_request: Callable[[bool], None] = lambda _: None) -> None:
        self.path = path
        self._line = line
        self._on_request = on_request
        self._is_high = False
        self._request: _Request | None = None
        self._server: asyncio.Server | None = None

    @property
    def is_requested(self) -> bool:
        """Whether a gateway has the line."""
        return self._request is not None

    async def plug_in(self) -> None:
        """Be there. Raises OSError, also for a path of more than 107 bytes."""
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=_LINE_BYTES_MAX)

    async def unplug(self) -> None:
        """Be gone, with whatever was not read."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self.path.unlink(missing_ok=True)
        if self._request is not None:
            self._request.writer.transport.abort()
            self._request = None

    def drive(self, *, high: bool, dropped: bool = False) -> bool:
        """Put a level on the line; whether the one who requested it is told an edge (`dropped`: only its number)."""
        changed, self._is_high = self._is_high != high, high
        request = self._request
        if request is None or not changed:
            return False
        active = high is not request.active_low
        if request.only_active and not active:
            return False
        request.edges += 1
        if dropped:
            return False
        request.writer.write(b"edge %d %d\n" % (request.edges, active))
        return True

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        request: _Request | None = None
        try:
            asked = _REQUEST.fullmatch(await reader.readline())
            if asked is None:
                writer.write(b"refused: that is no request\n")
            elif asked[3].decode(errors="replace") != self._line:
                writer.write(b"refused: there is no such line\n")
            elif self._request is not None:
                writer.write(b"refused: the line is held by another\n")
            else:
                request = _Request(writer, asked[1] == b"active", asked[2] == b"active-low")
                self._give(request)
                await reader.read()
        except (ConnectionError, ValueError):
            pass  # the gateway was killed, or it is none
        finally:
            if request is not None and self._request is request:
                self._request = None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def _give(self, request: _Request) -> None:
        self._request = request
        active = self._is_high is not request.active_low
        self._on_request(active)
        request.writer.write(b"now %d\n" % active)
