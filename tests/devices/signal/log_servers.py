"""An HTTP and an FTP server that hold one log, as a controller's do."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class LogServer:
    """`log` is served at /log.csv to `account` (user, password), or to anybody. `cut`: so many bytes at the end are
    promised, but not sent. `silent`: answers nothing."""

    scheme = ""

    def __init__(self) -> None:
        self.log = b""
        self.account: tuple[str, str] | None = None
        self.cut = 0
        self.silent = False
        self.served = 0
        self.url = ""
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"{self.scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/log.csv"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.silent:
                await reader.read()
            await self.speak(reader, writer)
        writer.close()

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class HttpLog(LogServer):
    scheme = "http"
    status = "200 OK"

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = self.status if request.startswith("GET /log.csv ") else "404 Not Found"
        if self.account is not None:
            sent = next((line for line in request.split("\r\n") if line.startswith("Authorization: Basic ")), "")
            if b64decode(sent.rpartition(" ")[2]).decode() != ":".join(self.account):
                status = "401 Unauthorized"
        body = self.log if status.startswith("200") else b""
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        writer.write(body[: len(body) - self.cut])
        await writer.drain()
        self.served += 1


class FtpLog(LogServer):
    scheme = "ftp"

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        user, data = "", asyncio.get_running_loop().create_future()

        async def give(_: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            self._writers.append(to)
            await data
            to.write(self.log)
            await to.drain()
            to.close()

        listener = await asyncio.start_server(give, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        try:
            writer.write(b"220 controller\r\n")
            while line := (await reader.readline()).decode():
                command, _, argument = line.strip().partition(" ")
                if command == "USER":
                    user, reply = argument, "331 password"
                elif command == "PASS":
                    accepted = self.account is None or (user, argument) == self.account
                    reply = "230 welcome" if accepted else "530 Login incorrect"
                elif command == "TYPE":
                    reply = "200 binary"
                elif command == "EPSV":
                    reply = "500 unknown"
                elif command == "PASV":
                    reply = f"227 Entering Passive Mode (127,0,0,1,{port >> 8},{port & 255})"
                elif command == "RETR" and argument == "log.csv":
                    writer.write(b"150 here it comes\r\n")
                    data.set_result(None)
                    reply = "226 done"
                    self.served += 1
                else:
                    reply = "550 no such file"
                writer.write(f"{reply}\r\n".encode())
                await writer.drain()
        finally:
            data.cancel()
            listener.close()


@contextlib.asynccontextmanager
async def serving(kind: type[LogServer]) -> AsyncIterator[LogServer]:
    server = kind()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
