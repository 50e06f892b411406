"""Modbus reads on a serial line (RTU) and over TCP: requests to bytes, and the one right answer out of any bytes.

MODBUS Application Protocol V1.1b3, clauses 6.3, 6.4 and 7; MODBUS over Serial Line V1.02, clause 2.5.1; MODBUS
Messaging on TCP/IP V1.0b, clause 3.1.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from devices.meter.crc16 import crc16_modbus

REGISTERS_MAX = 125
FRAME_BYTES_MAX = 260
_REFUSED = 0x80
_CRC_BYTES = 2

_REFUSALS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}


@dataclass(frozen=True, slots=True)
class RegisterRead:
    """A read of `count` registers of 16 bits from `address` (0-based, as on the wire); `function` is 3 or 4."""

    function: int
    address: int
    count: int

    def __str__(self) -> str:
        last = self.address + self.count - 1
        return f"registers 0x{self.address:04X} to 0x{last:04X} with function {self.function}"

    def part(self, data: bytes, other: RegisterRead) -> bytes | None:
        """The bytes of the registers of `other` in `data`, the answer to this read; None if they are not all there."""
        start = other.address - self.address
        if other.function != self.function or not 0 <= start <= self.count - other.count:
            return None
        return data[2 * start : 2 * (start + other.count)]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An exception response."""

    code: int

    def __str__(self) -> str:
        return f"exception {self.code} ({_REFUSALS.get(self.code, 'unknown')})"


def rtu_request(unit: int, read: RegisterRead) -> bytes:
    """The request as a frame on a serial line."""
    return with_crc(bytes((unit,)) + _request(read))


def tcp_request(transaction: int, unit: int, read: RegisterRead) -> bytes:
    """The request as a frame over TCP; `transaction` (0 to 65535) comes back in the answer."""
    request = bytes((unit,)) + _request(read)
    return _header(transaction, len(request)) + request


def with_crc(frame: bytes) -> bytes:
    """A serial frame with its CRC, low byte first."""
    return frame + crc16_modbus(frame).to_bytes(_CRC_BYTES, "little")


def crc_is_right(frame: bytearray) -> bool:
    """Whether the CRC at the end of a serial frame is that of the rest."""
    return crc16_modbus(bytes(frame)) == 0  # a message with its own CRC behind it leaves nothing


def _request(read: RegisterRead) -> bytes:
    return bytes((read.function,)) + read.address.to_bytes(2, "big") + read.count.to_bytes(2, "big")


def _header(transaction: int, length: int) -> bytes:
    return transaction.to_bytes(2, "big") + b"\x00\x00" + length.to_bytes(2, "big")


class AnswerFinder:
    """Finds the answer to one read in whatever arrives after it: noise, an echo, somebody else's answer.

    Without `transaction` the frames are those of a serial line. Holds at most 520 bytes. `received` counts all bytes
    that came, `noise` those of them that were not the answer; `damaged` tells whether there was something like the
    answer with a wrong CRC.
    """

    def __init__(self, unit: int, read: RegisterRead, transaction: int | None = None) -> None:
        data_bytes = 2 * read.count
        answer = bytes((unit, read.function, data_bytes))
        refusal = bytes((unit, read.function | _REFUSED))
        if transaction is None:
            self._crc_bytes = _CRC_BYTES
        else:
            self._crc_bytes = 0
            answer = _header(transaction, len(answer) + data_bytes) + answer
            refusal = _header(transaction, len(refusal) + 1) + refusal
        self._answer, self._answer_bytes = answer, data_bytes
        self._refusal = refusal
        self._buffer = bytearray()
        self.received = 0
        self.noise = 0
        self.damaged = False

    def feed(self, data: bytes) -> bytes | Refusal | None:
        """Take the next bytes; give the registers' bytes or the refusal once it is there."""
        self.received += len(data)
        for start in range(0, len(data), FRAME_BYTES_MAX):
            self._buffer += data[start : start + FRAME_BYTES_MAX]
            registers = self._find(self._answer, self._answer_bytes)
            if registers is not None:
                return registers
            code = self._find(self._refusal, 1)
            if code is not None:
                return Refusal(code[0])
            del self._buffer[:-FRAME_BYTES_MAX]
        return None

    def _find(self, head: bytes, body_bytes: int) -> bytes | None:
        """The bytes after `head` in a whole frame, if one is there."""
        start = self._buffer.find(head)
        while start >= 0:
            body = start + len(head)
            end = body + body_bytes + self._crc_bytes
            if end > len(self._buffer):
                return None
            if self._crc_bytes == 0 or crc_is_right(self._buffer[start:end]):
                self.noise = self.received - (end - start)
                return bytes(self._buffer[body : body + body_bytes])
            self.damaged = True
            start = self._buffer.find(head, start + 1)
        return None
