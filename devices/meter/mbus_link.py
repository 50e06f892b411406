"""M-Bus frames, sans-I/O: what a master sends, and what it finds in the bytes that come back (EN 13757-2).

A long frame is `68 L L 68`, then L bytes (control C, address A, control information CI, user data), the sum of these
modulo 256, `16`; an acknowledgement is the single character E5h.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.driver import WireCounters

NETWORK_ADDRESS = 253
"""The address of whichever slave was selected by its secondary address."""

_SHORT_START, _LONG_START, _STOP, _ACKNOWLEDGEMENT = 0x10, 0x68, 0x16, 0xE5
_SND_NKE, _REQ_UD2, _FRAME_COUNT_BIT = 0x40, 0x5B, 0x20
_SND_UD, _SELECT_CI = 0x53, 0x52
# RSP_UD of a slave: function 8; bits 4 and 5 (data flow, access demand) are of no interest here.
_RSP_UD, _RSP_UD_MASK = 0x08, 0xCF

_SHORT_BYTES = 5
_HEAD_BYTES, _TAIL_BYTES = 4, 2
_LENGTH_MIN = 3


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """E5h."""


@dataclass(frozen=True, slots=True)
class Response:
    """A slave's RSP_UD: its primary address, CI field and the user data after it."""

    address: int
    control_information: int
    data: bytes


def initialize(address: int) -> bytes:
    """SND_NKE: resets the slave's link (and deselects it, at the network address); it answers E5h."""
    return _short(_SND_NKE, address)


def request_data(address: int, *, frame_count: bool) -> bytes:
    """REQ_UD2; a slave repeats its last telegram when `frame_count` is the same again, and goes on when it toggles."""
    return _short(_REQ_UD2 | (_FRAME_COUNT_BIT if frame_count else 0), address)


def select(pattern: bytes) -> bytes:
    """SND_UD that selects the slave of a secondary address: 8 bytes as on the wire; it answers E5h."""
    body = bytes((_SND_UD, NETWORK_ADDRESS, _SELECT_CI)) + pattern
    head = bytes((_LONG_START, len(body), len(body), _LONG_START))
    return head + body + bytes((sum(body) & 0xFF, _STOP))


def _short(control: int, address: int) -> bytes:
    return bytes((_SHORT_START, control, address, control + address & 0xFF, _STOP))


class FrameFinder:
    """Finds a slave's answers in a stream that may start anywhere and hold anything, also the echo of the request.

    Holds less than one frame (261 bytes) between two calls. What cannot be used is counted: `errors` for a long frame
    whose sum is wrong, `bytes_dropped` for bytes that belong to no frame, `resyncs` for each run of them.
    """

    def __init__(self, counters: WireCounters) -> None:
        self._counters = counters
        self._buffer = bytearray()
        self._in_step = True

    def feed(self, data: bytes) -> list[Acknowledgement | Response]:
        """Take the next bytes of the wire, give the answers that end in them."""
        self._buffer += data
        answers: list[Acknowledgement | Response] = []
        position = 0
        while position < len(self._buffer):
            size = self._frame_size(position)
            if size is None:
                break
            if size == 0:
                self._skip()
                position += 1
                continue
            answer = self._answer(bytes(self._buffer[position : position + size]))
            if answer is not None:
                answers.append(answer)
            self._in_step = True
            position += size
        del self._buffer[:position]
        return answers

    def flush(self) -> list[Acknowledgement | Response]:
        """The answers behind a start that promised more than came: the line is silent, so nothing will finish it."""
        answers: list[Acknowledgement | Response] = []
        while self._buffer:
            self._skip()
            del self._buffer[0]
            answers += self.feed(b"")
        self._in_step = True
        return answers

    def _frame_size(self, position: int) -> int | None:
        """The size of the frame at `position`; 0 where there is none, None where that cannot be told yet."""
        buffer, available = self._buffer, len(self._buffer) - position
        start = buffer[position]
        if start == _ACKNOWLEDGEMENT:
            return 1
        if start == _SHORT_START:
            if available < _SHORT_BYTES:
                return None
            frame = buffer[position : position + _SHORT_BYTES]
            return _SHORT_BYTES if frame[4] == _STOP and frame[1] + frame[2] & 0xFF == frame[3] else 0
        if start != _LONG_START:
            return 0
        if available < _HEAD_BYTES:
            return None
        _, length, again, second = buffer[position : position + _HEAD_BYTES]
        if length != again or second != _LONG_START or length < _LENGTH_MIN:
            return 0
        size = _HEAD_BYTES + length + _TAIL_BYTES
        if available < size:
            return None
        body = buffer[position + _HEAD_BYTES : position + _HEAD_BYTES + length]
        if buffer[position + size - 1] == _STOP and sum(body) & 0xFF == buffer[position + size - 2]:
            return size
        self._counters.errors += 1
        self._counters.last_error = "a frame whose checksum is wrong"
        return 0

    def _answer(self, frame: bytes) -> Acknowledgement | Response | None:
        """The answer in a whole frame; None for a master's frame, such as our own when the wire echoes."""
        if frame[0] == _ACKNOWLEDGEMENT:
            return Acknowledgement()
        if frame[0] == _LONG_START and frame[4] & _RSP_UD_MASK == _RSP_UD:
            return Response(frame[5], frame[6], frame[7:-_TAIL_BYTES])
        return None

    def _skip(self) -> None:
        self._counters.bytes_dropped += 1
        if self._in_step:
            self._in_step = False
            self._counters.resyncs += 1
            self._counters.last_error = "bytes that belong to no frame"
