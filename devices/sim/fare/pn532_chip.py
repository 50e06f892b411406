"""An NXP PN532 on its serial interface, without its wire: commands in, answers out (UM0701-02, sections 6.2 and 7).

Asleep until it is woken, as after power-on; it searches for a card for ever unless told how often to retry.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_ACKNOWLEDGEMENT = bytes.fromhex("0000ff00ff00")
_SYNTAX_ERROR = bytes.fromhex("0000ff01ff7f8100")
_WAKE_UP = b"\x55\x55"
_INPUT_BYTES_MAX = 1024
_FOR_EVER = 0xFF


def information(data: bytes) -> bytes:
    """A frame from the chip: `data` begins with the answer's code."""
    body = b"\xd5" + data
    return bytes((0, 0, 0xFF, len(body), 256 - len(body))) + body + bytes(((256 - sum(body)) % 256, 0))


@dataclass
class Pn532Chip:
    """`card`: the UID in its field, if any. `told` is set when a UID stands in an answer that was just given."""

    card: bytes | None = None
    told: bool = False
    awake: bool = False
    _retries: int = _FOR_EVER
    _received: bytearray = field(default_factory=bytearray)

    def receive(self, data: bytes) -> list[bytes]:
        """Take the host's bytes; give the frames to send for them."""
        self._received += data
        if not self.awake:
            self.awake = _WAKE_UP in self._received
            if not self.awake:
                del self._received[:-1]
                return []
        answers: list[bytes] = []
        while (command := self._next_command()) is not None:
            answers += [_ACKNOWLEDGEMENT, *self._answer(command)]
        del self._received[:-_INPUT_BYTES_MAX]
        return answers

    def _next_command(self) -> bytes | None:
        while (start := self._received.find(b"\x00\xff")) >= 0:
            frame = self._received[start + 2 :]
            if len(frame) < 2:  # noqa: PLR2004 - length and its complement
                return None
            length = frame[0]
            if length == 0 or (length + frame[1]) % 256:
                del self._received[: start + 2]
                continue
            if len(frame) < length + 3:
                return None
            body, checksum = frame[2 : 2 + length], frame[2 + length]
            if (sum(body) + checksum) % 256 or body[0] != 0xD4:  # noqa: PLR2004 - from the host
                del self._received[: start + 2]
                continue
            del self._received[: start + length + 5]
            return bytes(body[1:])
        return None

    def _answer(self, command: bytes) -> list[bytes]:
        code, parameters = command[0], command[1:]
        match code:
            case 0x02:  # GetFirmwareVersion: PN532, 1.6, all card types
                return [information(bytes.fromhex("0332010607"))]
            case 0x14 if parameters[:1] == b"\x01":  # SAMConfiguration, normal mode
                return [information(b"\x15")]
            case 0x32:  # RFConfiguration
                if parameters[:1] == b"\x05" and len(parameters) == 4:  # noqa: PLR2004 - MaxRetries
                    self._retries = parameters[3]
                return [information(b"\x33")]
            case 0x4A if parameters[:2] == b"\x01\x00":  # InListPassiveTarget, one card of type A
                return self._targets()
        return [_SYNTAX_ERROR]

    def _targets(self) -> list[bytes]:
        if self.card is None:
            return [] if self._retries == _FOR_EVER else [information(b"\x4b\x00")]
        self.told = True
        # MIFARE Classic (four bytes) and DESFire (seven and ten, with its ATS).
        facts, ats = (b"\x00\x04\x08", b"") if len(self.card) == 4 else (b"\x03\x44\x20", b"\x06\x75\x77\x81\x02\x80")  # noqa: PLR2004 - a single size UID
        return [information(b"\x4b\x01\x01" + facts + bytes((len(self.card),)) + self.card + ats)]
