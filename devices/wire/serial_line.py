"""A serial port in asyncio: non-blocking, locked, without threads.

pyserial sets up the port (speed, parity, lock); reading and writing go through the event loop's readiness calls, as
pyserial's own calls would block. A line that failed stays failed until it is opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import termios
from typing import TYPE_CHECKING

import serial

from devices.driver import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES_MAX = 4096
WRITE_DEADLINE_S = 2.0
_PSEUDO_TERMINALS = "/dev/pts/"
_UNUSABLE = (serial.SerialException, OSError, ValueError, termios.error)

_OPEN_MENDS = {
    errno.ENOENT: "does not exist; plug the device in, or correct `port`",
    errno.ENODEV: "has no device behind it; plug the device in",
    errno.ENXIO: "has no device behind it; plug the device in",
    errno.EACCES: "may not be opened by this user; add the user to the port's group (often dialout)",
    errno.EBUSY: "is in use; stop the other program that has it open (`fuser -v PORT` names it)",
    errno.EAGAIN: "is locked by another process; stop the other program that has it open (`fuser -v PORT` names it)",
    errno.EISDIR: "is a directory; name the port in it",
}


class SerialLine:
    """One serial port, held exclusively (flock) while open.

    `baudrate` in bit/s; `bytesize` 7 or 8; `parity` "N", "E" or "O"; one stop bit. One task reads, another may
    write. Not held against a program that does not lock: two readers would split the bytes between them.
    """

    def __init__(self, port: str, baudrate: int, bytesize: int, parity: str) -> None:
        self.port = port
        self._baudrate, self._bytesize, self._parity = baudrate, bytesize, parity
        self._serial: serial.Serial | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._failure = f"port {port}: is not open; open it first"

    async def open(self) -> None:
        """Open and lock the port; drops what the device sent before (old bytes would be taken for new ones).

        An fd of an earlier opening is closed first, or the kernel would give the returning device another name.
        Raises DeviceError: missing port, no permission, another holder, not a serial port.
        """
        await self.close()
        pseudo = _is_pseudo_terminal(self.port)
        try:
            port = serial.Serial(
                self.port,
                self._baudrate,
                bytesize=8 if pseudo else self._bytesize,
                parity="N" if pseudo else self._parity,
                timeout=0,
                exclusive=True,
            )
        except _UNUSABLE as error:
            code = getattr(error, "errno", None)
            mend = _OPEN_MENDS.get(code or 0, f"cannot be used as a serial port ({error}); correct `port`")
            raise DeviceError(f"port {self.port}: {mend}") from error
        self._serial = port

    async def read(self) -> bytes:
        """Wait for bytes and return those that are there, 1 to 4096.

        Waits as long as the device is silent. Raises DeviceError when the device is unplugged or the line fails.
        """
        port = self._opened()
        loop = asyncio.get_running_loop()
        await self._ready(port, loop.add_reader, loop.remove_reader)
        try:
            data = os.read(port.fileno(), READ_BYTES_MAX)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            # Ready without bytes: a hang-up, or a second reader took them. Neither can go on.
            raise self._lost(None)
        return data

    async def write(self, data: bytes) -> None:
        """Write all of `data` within 2 s.

        Raises DeviceError when the device does not take it in time, or is gone; the line is then failed, as part
        of `data` may be on the wire.
        """
        port = self._opened()
        complete = False
        try:
            async with asyncio.timeout(WRITE_DEADLINE_S):
                await self._write_all(port, data)
            complete = True
        except TimeoutError as error:
            sentence = f"the device took no bytes for {WRITE_DEADLINE_S:g} s; check that it reads its line"
            raise self._fail(sentence) from error
        finally:
            if not complete:
                self._fail("a write was broken off; open it again")

    def change_baudrate(self, baudrate: int) -> None:
        """Go on at `baudrate` bit/s until closed; what was written must have left the wire before.

        Raises DeviceError when the port cannot do it; the line is then failed.
        """
        port = self._opened()
        try:
            port.baudrate = baudrate
        except _UNUSABLE as error:
            raise self._fail(f"cannot do {baudrate} bit/s ({error}); use another adapter") from error

    async def close(self) -> None:
        """Close and unlock the port; whoever waits in `read` or `write` gets DeviceError."""
        self._fail("is closed; open it again")

    async def _write_all(self, port: serial.Serial, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(port.fileno(), rest) :]
            except BlockingIOError:
                await self._ready(port, loop.add_writer, loop.remove_writer)
            except OSError as error:
                raise self._lost(error) from error

    def _opened(self) -> serial.Serial:
        if self._serial is None:
            raise DeviceError(self._failure)
        return self._serial

    async def _ready(self, port: serial.Serial, add: Callable[..., None], remove: Callable[[int], bool]) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        add(port.fileno(), _wake, waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)
            if self._serial is port:
                remove(port.fileno())
        if self._serial is not port:
            raise DeviceError(self._failure)

    def _lost(self, error: OSError | None) -> DeviceError:
        reason = f" ({error.strerror})" if error else ""
        return self._fail(f"the device hung up or was unplugged{reason}; plug it in")

    def _fail(self, what: str) -> DeviceError:
        if self._serial is not None:
            port, self._serial = self._serial, None
            self._failure = f"port {self.port}: {what}"
            loop = asyncio.get_running_loop()
            loop.remove_reader(port.fileno())
            loop.remove_writer(port.fileno())
            with contextlib.suppress(OSError):  # the device may be gone already
                port.close()
            for waiting in self._waiting:
                _wake(waiting)
        return DeviceError(self._failure)


def _is_pseudo_terminal(port: str) -> bool:
    """Such as that of socat or of a simulator: it has no parity, and refuses one when nothing else is changed."""
    return os.path.realpath(port).startswith(_PSEUDO_TERMINALS)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
