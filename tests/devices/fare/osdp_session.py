"""A second reading of OSDP's frames and secure channel (SIA OSDP 2.2, section 5 and annex D), for tests alone.

AES is openssl's, so that nothing here is libosdp's.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHALLENGE, SERVER_CRYPTOGRAM = 0x76, 0x77
CLIENT_CRYPTOGRAM, INITIAL_R_MAC = 0x76, 0x78
ZERO = bytes(16)


def aes(key: bytes, data: bytes, initial: bytes = ZERO, *, decrypt: bool = False) -> bytes:
    """AES-128 in CBC mode without padding; one block from zero is ECB."""
    options = ["-d"] if decrypt else []
    command = ["openssl", "enc", "-aes-128-cbc", "-nopad", "-K", key.hex(), "-iv", initial.hex(), *options]
    return subprocess.run(command, input=data, capture_output=True, check=True, timeout=20).stdout


def crc16(data: bytes) -> int:
    """CRC-16 of polynomial 1021 from 1D0F, as OSDP has it."""
    crc = 0x1D0F
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def inverted(block: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in block)


@dataclass(frozen=True)
class Frame:
    """One frame: `block` is its secure block's type (None without), `code` the command or reply."""

    raw: bytes
    block: int | None
    code: int
    data: bytes
    mac: bytes

    @property
    def is_reply(self) -> bool:
        return bool(self.raw[1] & 0x80)


def frames(stream: bytes) -> Iterator[Frame]:
    """The frames in one direction's bytes; all of them must have a right CRC."""
    position = stream.find(b"\x53")
    while position >= 0 and position + 4 <= len(stream):
        size = int.from_bytes(stream[position + 2 : position + 4], "little")
        raw = stream[position : position + size]
        if len(raw) < size:
            return
        assert crc16(raw[:-2]) == int.from_bytes(raw[-2:], "little")
        assert raw[4] & 0x04, "a checksum in place of a CRC"
        block = raw[6] if raw[4] & 0x08 else None
        body = raw[5 + raw[5] if block is not None else 5 : -2]
        mac = b""
        if block is not None and block >= 0x15:
            body, mac = body[:-4], body[-4:]
        yield Frame(raw, block, body[0], body[1:], mac)
        position = stream.find(b"\x53", position + size)


@dataclass
class Session:
    """The keys of one session, and the last code of each side as it goes on."""

    key: bytes
    panel_random: bytes
    reader_random: bytes
    command_mac: bytes = ZERO
    reply_mac: bytes = ZERO
    encryption: bytes = field(init=False)
    mac_1: bytes = field(init=False)
    mac_2: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.encryption, self.mac_1, self.mac_2 = (
            aes(self.key, bytes((0x01, which)) + self.panel_random[:6] + bytes(8)) for which in (0x82, 0x01, 0x02)
        )

    @property
    def client_cryptogram(self) -> bytes:
        return aes(self.encryption, self.panel_random + self.reader_random)

    @property
    def server_cryptogram(self) -> bytes:
        return aes(self.encryption, self.reader_random + self.panel_random)

    @property
    def initial_r_mac(self) -> bytes:
        return aes(self.mac_2, aes(self.mac_1, self.server_cryptogram))

    def follow(self, frame: Frame) -> bytes:
        """The data of the next frame in clear; its code must be right."""
        before = self.command_mac if frame.is_reply else self.reply_mac
        code = self._mac(frame.raw[:-6], before)
        assert code[:4] == frame.mac
        if frame.is_reply:
            self.reply_mac = code
        else:
            self.command_mac = code
        if frame.block not in (0x17, 0x18):
            return frame.data
        clear = aes(self.encryption, frame.data, inverted(before), decrypt=True).rstrip(b"\x00")
        assert clear.endswith(b"\x80")
        return clear[:-1]

    def _mac(self, data: bytes, initial: bytes) -> bytes:
        if len(data) % 16:
            data = (data + b"\x80").ljust((len(data) // 16 + 1) * 16, b"\x00")
        *_, last = (initial, *(aes(self.mac_1, data[:-16], initial)[-16:] for _ in range(len(data) > 16)))
        return aes(self.mac_2, data[-16:], last)
