"""A line to a device, whatever it is made of: a serial port, or a TCP connection to whoever has one."""

from __future__ import annotations

from typing import Protocol

from devices.wire.serial_line import SerialLine
from devices.wire.tcp_line import TcpLine, parse_tcp_url

_TCP = "tcp://"


class Line(Protocol):
    """A wire: `SerialLine`, `TcpLine`."""

    port: str

    async def open(self) -> None:
        """Open it. Raises DeviceError."""

    async def read(self) -> bytes:
        """The next bytes. Raises DeviceError when the line is lost."""

    async def write(self, data: bytes) -> None:
        """Send all of `data`. Raises DeviceError."""

    async def close(self) -> None:
        """Close it; idempotent."""


def is_tcp(port: str) -> bool:
    """Whether `port` is a tcp://host:port, and no serial port."""
    return port.startswith(_TCP)


def check_line_port(port: str) -> str | None:
    """What is wrong with the port of a line, if anything; for `setting`."""
    if not port:
        return "is empty; name a serial port, or tcp://host:port"
    if is_tcp(port):
        try:
            parse_tcp_url(port)
        except ValueError as error:
            return str(error)
    return None


def line_at(port: str, baudrate: int, bytesize: int, parity: str) -> Line:
    """The line at `port`, not yet open; speed and character format are of no account over TCP."""
    return TcpLine(port) if is_tcp(port) else SerialLine(port, baudrate, bytesize, parity)
