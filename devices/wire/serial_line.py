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

import serial

from devices.driver import DeviceError

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
        self._received = b""
        self._is_watched = False
        self._reading: asyncio.Future[None] | None = None
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
        if not self._received:
            loop = asyncio.get_running_loop()
            if not self._is_watched:
                loop.add_reader(port.fileno(), self._receive, port)
                self._is_watched = True
            self._reading = loop.create_future()
            await self._wait(port, self._reading)
        data, self._received = self._received, b""
        return data

    def _receive(self, port: serial.Serial) -> None:
        """The port has bytes, or was hung up.

        It stays watched, as to watch it anew for each read costs two system calls; not while nobody reads: the kernel
        keeps what comes then, and makes the device wait.
        """
        if self._reading is None or self._reading.done():
            asyncio.get_running_loop().remove_reader(port.fileno())
            self._is_watched = False
            return
        try:
            self._received = os.read(port.fileno(), READ_BYTES_MAX)
        except OSError as error:
            self._lost(error)
            return
        if not self._received:
            # Ready without bytes: a hang-up, or a second reader took them. Neither can go on.
            self._lost(None)
            return
        _wake(self._reading)

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
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(port.fileno(), rest) :]
            except BlockingIOError:
                await self._room(port)
            except OSError as error:
                raise self._lost(error) from error

    def _opened(self) -> serial.Serial:
        if self._serial is None:
            raise DeviceError(self._failure)
        return self._serial

    async def _room(self, port: serial.Serial) -> None:
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        loop.add_writer(port.fileno(), _wake, waiting)
        try:
            await self._wait(port, waiting)
        finally:
            if self._serial is port:
                loop.remove_writer(port.fileno())

    async def _wait(self, port: serial.Serial, waiting: asyncio.Future[None]) -> None:
        self._waiting.add(waiting)
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)
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
            self._received, self._is_watched = b"", False
            for waiting in self._waiting:
                _wake(waiting)
        return DeviceError(self._failure)


def _is_pseudo_terminal(port: str) -> bool:
    """Such as that of socat or of a simulator: it has no parity, and refuses one when nothing else is changed."""
    return os.path.realpath(port).startswith(_PSEUDO_TERMINALS)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
