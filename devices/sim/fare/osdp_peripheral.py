"""An OSDP reader without its wire: libosdp's peripheral device, the reads that it stores, the light that it shows."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import osdp_sys
from osdp import Capability, CardFormat, Command, CommandLEDColor, CompletionStatus, Event, LibFlag, LogLevel

if TYPE_CHECKING:
    import random

VENDOR_CODE = 0x0A0B0C
LIGHT_MAX_S = 5.0
_BITS = 26
_CAPABILITIES = (
    (Capability.CardDataFormat, 1, 0),
    (Capability.LEDControl, 1, 1),
    (Capability.AudibleControl, 1, 1),
    (Capability.CheckCharacter, 1, 0),
    (Capability.CommunicationSecurity, 1, 1),
    (Capability.Readers, 0, 1),
)


@dataclass(frozen=True)
class Read:
    """A card that was read: 26 bits Wiegand. `score` is that of the finger, None for a reader of cards only."""

    number: int
    card: bytes
    score: int | None = None

    def event(self) -> dict[str, Any]:
        """What libosdp is to report."""
        if self.score is None:
            facts = {"reader_no": 0, "format": CardFormat.Wiegand, "direction": 0, "length": _BITS}
            return {"event": Event.CardRead, "data": self.card, **facts}
        # The layout of the gateway's documentation: version, card and finger, match, score, format, bits, number.
        data = struct.pack("<BBBBBH", 1, 2, 0, self.score, 1, _BITS) + self.card
        return {"event": Event.ManufacturerReply, "vendor_code": VENDOR_CODE, "data": data}


def wiegand_26(chance: random.Random) -> bytes:
    """A card's number as 26 bits: even parity, facility (8), card (16), odd parity; first bit first."""
    number = chance.getrandbits(24)
    even = (number >> 12).bit_count() & 1
    odd = 1 - ((number & 0xFFF).bit_count() & 1)
    return ((even << 25 | number << 1 | odd) << 6).to_bytes(4, "big")


class OsdpPeripheral:
    """Keeps each read until it went out in a reply, and then waits up to 5 s for the light before the next.

    It never sends a read twice: OSDP gives reads no name, so the gateway could not tell. What is lost with its reply is
    lost, as with a real reader. `sent` is what went out in the last reply, `green` the number of the read that the
    last light confirmed, each until taken.
    """

    def __init__(self, address: int, key: bytes) -> None:
        self.incoming, self.outgoing = bytearray(), bytearray()
        self.sent: Read | None = None
        self.green: int | None = None
        self._stored: deque[Read] = deque()
        self._submitted: Read | None = None
        self._unlit: tuple[Read, float] | None = None
        self._now_s = 0.0
        osdp_sys.set_loglevel(LogLevel.Emergency)
        self._device = osdp_sys.PeripheralDevice(
            {
                "name": f"PD-{address}",
                "address": address,
                "flags": LibFlag.EnforceSecure,
                "scbk": key,
                "channel": _Channel(self),
                "version": 1,
                "model": 1,
                "vendor_code": VENDOR_CODE,
                "serial_number": 1,
                "firmware_version": 1,
            },
            capabilities=[
                {"function_code": code, "compliance_level": level, "num_items": items}
                for code, level, items in _CAPABILITIES
            ],
        )
        self._device.set_command_callback(self._on_command)
        self._device.set_event_completion_callback(self._on_completion)

    def store(self, read: Read) -> None:
        """A card was read."""
        self._stored.append(read)

    def refresh(self, now_s: float) -> None:
        """Go on at `now_s` (monotonic); at least every 50 ms."""
        self._now_s = now_s
        secure = self._device.is_sc_active()
        if self._unlit and (not secure or now_s - self._unlit[1] > LIGHT_MAX_S):
            self._unlit = None
        if secure and self._stored and self._submitted is None and self._unlit is None:
            self._submitted = self._stored.popleft()
            self._device.submit_event(self._submitted.event())
        self._device.refresh()

    def _on_completion(self, _event: dict[str, Any], status: int) -> None:
        read, self._submitted = self._submitted, None
        if read is None:
            return
        if status == CompletionStatus.Ok:
            self.sent, self._unlit = read, (read, self._now_s)
        else:
            self._stored.appendleft(read)

    def _on_command(self, command: dict[str, Any]) -> tuple[int, None]:
        lit = command["command"] == Command.LED and command["on_color"] == CommandLEDColor.Green
        if lit and self._unlit is not None:
            self.green, self._unlit = self._unlit[0].number, None
        return 0, None


class _Channel:
    """The byte stream that libosdp reads and writes."""

    id = 0

    def __init__(self, peripheral: OsdpPeripheral) -> None:
        self._incoming, self._outgoing = peripheral.incoming, peripheral.outgoing

    def read(self, size: int) -> bytes:
        data = bytes(self._incoming[:size])
        del self._incoming[:size]
        return data

    def write(self, data: bytes) -> int:
        self._outgoing += data
        return len(data)

    def flush(self) -> None:
        self._incoming.clear()
