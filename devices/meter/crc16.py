"""The 16-bit checksums that meters use; each takes bytes and gives an integer of 0 to 65535."""

from __future__ import annotations

import binascii

_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _arc_entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
    return byte


_ARC = tuple(_arc_entry(byte) for byte in range(256))


def crc16_arc(data: bytes) -> int:
    """CRC-16/ARC: polynomial 0x8005 reflected, from 0 (DSMR P1 companion standard 5.0.2, clause 6.2)."""
    return _ibm_reflected(data, 0)


def crc16_modbus(data: bytes) -> int:
    """CRC-16/MODBUS: polynomial 0x8005 reflected, from 0xFFFF (MODBUS over Serial Line V1.02, clause 6.2.2)."""
    return _ibm_reflected(data, 0xFFFF)


def _ibm_reflected(data: bytes, crc: int) -> int:
    for byte in data:
        crc = crc >> 8 ^ _ARC[(crc ^ byte) & 0xFF]
    return crc


def crc16_x25(data: bytes) -> int:
    """CRC-16/X-25: polynomial 0x1021 reflected, from 0xFFFF, inverted (DIN EN 62056-46; SML 1.04)."""
    return _ccitt_reflected(data, 0xFFFF) ^ 0xFFFF


def crc16_kermit(data: bytes) -> int:
    """CRC-16/KERMIT: polynomial 0x1021 reflected, from 0 (Holley DTZ541 sends it where SML says X-25)."""
    return _ccitt_reflected(data, 0)


def _ccitt_reflected(data: bytes, start: int) -> int:
    # binascii computes this polynomial in C, most significant bit first: so the bits of each byte go in reversed.
    crc = binascii.crc_hqx(data.translate(_BITS_REVERSED), start)
    return _BITS_REVERSED[crc & 0xFF] << 8 | _BITS_REVERSED[crc >> 8]
