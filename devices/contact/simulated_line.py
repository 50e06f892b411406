"""A line of a simulated GPIO chip, where the kernel has none: text lines over a Unix socket (`sim://` and its path).

The protocol is the simulator's own, and does not leave the test bench; devices/sim/contact/gpio_chip.py says it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

from devices.contact.input_line import EDGE_NUMBERS, Edge
from devices.driver import DeviceError

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from devices.contact.input_line import LineRequest
    from devices.driver import WireCounters

SCHEME = "sim://"
OPEN_DEADLINE_S = 5.0
LINE_BYTES_MAX = 256
_READ_BYTES_MAX = 4096
_EDGE = re.compile(rb"edge ([0-9]{1,10}) ([01])")
_NOW = re.compile(rb"now ([01])\n")


class SimulatedLine:
    """An `InputLine` of the simulated chip at `sim:///path/of/socket`."""

    def __init__(self, url: str, request: LineRequest, counters: WireCounters) -> None:
        self._url = url
        self._wanted = request
        self._counters = counters
        self._streams: tuple[StreamReader, StreamWriter] | None = None
        self._rest = b""

    async def open(self) -> bool:
        """Connect and request the line within 5 s. Raises DeviceError."""
        await self.close()
        self._rest = b""
        is_active = None
        try:
            async with asyncio.timeout(OPEN_DEADLINE_S):
                is_active = await self._open()
        except TimeoutError as error:
            raise self._error(f"no answer within {OPEN_DEADLINE_S:g} s; is it a simulated chip?") from error
        except (OSError, ValueError) as error:  # a line that is too long
            raise self._error(f"cannot be used ({error}); start the simulator") from error
        finally:
            if is_active is None:
                await self.close()
        return is_active

    async def read(self) -> list[Edge]:
        """Wait for edges and return those that there are. Raises DeviceError when the chip is gone."""
        while True:
            if self._streams is None:
                raise self._error("is not open; open it first")
            try:
                data = await self._streams[0].read(_READ_BYTES_MAX)
            except OSError as error:
                raise self._error(f"the chip is gone ({error.strerror})") from error
            if not data:
                raise self._error("the chip is gone; start the simulator")
            if edges := self._edges(data):
                return edges

    async def close(self) -> None:
        """Disconnect; idempotent."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError):  # the chip is gone already
                await streams[1].wait_closed()

    async def _open(self) -> bool:
        reader, writer = self._streams = await asyncio.open_unix_connection(
            self._url.removeprefix(SCHEME), limit=LINE_BYTES_MAX
        )
        edges = "active" if self._wanted.pulses else "both"
        sense = "active-low" if self._wanted.active_low else "active-high"
        writer.write(f"request {edges} {sense} {self._wanted.line}\n".encode())
        answer = await reader.readline()
        now = _NOW.fullmatch(answer)
        if now is None:
            raise self._error(f"does not give the line ({answer.decode(errors='replace').strip()!r}); check `line`")
        return now[1] == b"1"

    def _edges(self, data: bytes) -> list[Edge]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            self._counters.bytes_dropped += len(self._rest)
            self._rest = b""
        return [edge for line in lines if (edge := self._edge(line)) is not None]

    def _edge(self, line: bytes) -> Edge | None:
        found = _EDGE.fullmatch(line)
        if found is None or int(found[1]) >= EDGE_NUMBERS:
            self._counters.errors += 1
            self._counters.last_error = f"{self._url}: a line that is no edge"
            return None
        return Edge(int(found[1]), found[2] == b"1")

    def _error(self, what: str) -> DeviceError:
        return DeviceError(f"{self._url}, line {self._wanted.line}: {what}")
