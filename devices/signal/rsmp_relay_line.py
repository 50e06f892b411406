"""A gateway's connection to its relay: found at its socket, or started there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Any, NamedTuple

from devices.driver import DeviceError
from devices.signal.rsmp_copies import HEADER, Kind
from devices.signal.rsmp_relay import END, NUMBER, PROTOCOL
from devices.wire.tcp_line import parse_tcp_url

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from pathlib import Path

START_DEADLINE_S = 10.0
ANSWER_DEADLINE_S = 5.0
SOCKET_PATH_BYTES_MAX = 107


class Record(NamedTuple):
    """What the relay sends. `number` 0 is a notice, or of the past: known already, and not to be settled."""

    kind: Kind
    number: int
    content: bytes

    @property
    def notice(self) -> dict[str, Any]:
        """The facts of a notice."""
        facts: dict[str, Any] = json.loads(self.content)
        return facts


class RelayLine:
    """The relay of one site: its socket at `path`, from `listen` to `supervisor` (both tcp://host:port)."""

    def __init__(self, path: Path, listen: str, supervisor: str, idle_s: float) -> None:
        self.port = listen
        self._path = path
        self._listen, self._supervisor = parse_tcp_url(listen), parse_tcp_url(supervisor)
        self._idle_s = idle_s
        self._streams: tuple[StreamReader, StreamWriter] | None = None

    async def open(self) -> dict[str, Any]:
        """Attach to the relay, which is started if there is none; gives its hello. Raises DeviceError.

        A relay that was started with other addresses, or by another version of this software, is told to end first.
        """
        await self.close()
        if len(str(self._path.absolute()).encode(errors="surrogateescape")) > SOCKET_PATH_BYTES_MAX:
            raise DeviceError(
                f"{self._path}: a socket's path has at most {SOCKET_PATH_BYTES_MAX} bytes; shorten `relay_socket`"
            )
        hello = await self._attach()
        if hello is not None and not self._is_ours(hello):
            await self._end()
            hello = None
        if hello is None:
            await self._start()
            hello = await self._attach()
        if hello is None:
            raise DeviceError(f"{self._path}: the relay that was started there does not answer; see `relay_socket`")
        return hello

    async def read(self) -> Record:
        """The next record, waiting for it. Raises DeviceError when the relay is gone."""
        reader, _ = self._opened()
        try:
            kind, number, length = HEADER.unpack(await reader.readexactly(HEADER.size))
            return Record(Kind(kind), number, await reader.readexactly(length))
        except (OSError, EOFError) as error:
            raise DeviceError(f"{self._path}: the relay has ended; it is started again") from error

    async def settle(self, number: int) -> None:
        """Tell the relay that it need not keep this copy and those before it. Raises DeviceError."""
        _, writer = self._opened()
        try:
            writer.write(NUMBER.pack(number))
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                await writer.drain()
        except (OSError, TimeoutError) as error:
            raise DeviceError(f"{self._path}: the relay takes no answer; end its process") from error

    async def close(self) -> None:
        """Detach; the relay goes on. Idempotent."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError):  # how a dead connection ends is of no interest
                await streams[1].wait_closed()

    def _opened(self) -> tuple[StreamReader, StreamWriter]:
        if self._streams is None:
            raise DeviceError(f"{self.port}: is not open; open it first")
        return self._streams

    async def _attach(self) -> dict[str, Any] | None:
        """The hello of the relay at the socket, or None when there is none."""
        try:
            self._streams = await asyncio.open_unix_connection(str(self._path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise DeviceError(
                f"{self._path}: cannot be opened ({error.strerror or error}); correct `relay_socket`"
            ) from error
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                return (await self.read()).notice
        except (DeviceError, TimeoutError) as error:
            await self.close()
            raise DeviceError(
                f"{self._path}: the relay there takes no gateway; stop the other gateway, or end the relay's process"
            ) from error

    def _is_ours(self, hello: dict[str, Any]) -> bool:
        facts = PROTOCOL, list(self._supervisor)
        return facts == (hello.get("protocol"), hello.get("supervisor")) and hello.get("listen") == list(self._listen)

    async def _end(self) -> None:
        await self.settle(END)
        with contextlib.suppress(DeviceError, TimeoutError):
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                while True:
                    await self.read()
        await self.close()

    async def _start(self) -> None:
        # A session of its own: what ends the gateway's terminal or job does not end the relay.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *(["-I"] if sys.flags.isolated else []), "-m", "devices.signal.rsmp_relay"),
            *("--listen", self._listen[0], str(self._listen[1])),
            *("--supervisor", self._supervisor[0], str(self._supervisor[1])),
            *("--socket", str(self._path.absolute()), "--idle-s", f"{self._idle_s:g}"),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                _, said = await process.communicate()
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise DeviceError(f"{self.port}: the relay did not start within {START_DEADLINE_S:g} s") from error
        if process.returncode:
            sentence = said.decode(errors="replace").strip()[-300:]
            raise DeviceError(f"{self.port}: the relay {sentence}; stop what holds it, or correct `relay_socket`")
