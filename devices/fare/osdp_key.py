"""The secure channel base key (SCBK) of an OSDP reader, from its file."""

from __future__ import annotations

import binascii
import os
import stat
from typing import TYPE_CHECKING

from devices.driver import DeviceError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 16
_FILE_BYTES_MAX = 2 * KEY_BYTES + 2
# SCBK-D (SIA OSDP 2.2, annex D), with which readers leave the factory, and what libosdp has where no key was set.
_KNOWN_KEYS = (bytes(range(0x30, 0x40)), bytes(KEY_BYTES))


def read_key(path: Path) -> bytes:
    """The 16 bytes in `path`: as they are, or as 32 hexadecimal digits with or without a newline.

    Raises DeviceError, which never quotes the file: missing, readable by others than its owner, another length, or the
    default key that everybody knows, or all zeros.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe under this name must not hold the gateway
    except OSError as error:
        raise DeviceError(f"key {path}: cannot be read ({error.strerror}); put the reader's key there") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise DeviceError(f"key {path}: is no file; put the reader's key there")
        if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise DeviceError(f"key {path}: may be read or written by others than its owner; chmod 600 {path}")
        raw = os.read(descriptor, _FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    key = raw if len(raw) == KEY_BYTES else _from_hex(raw)
    if len(key) != KEY_BYTES:
        raise DeviceError(f"key {path}: must hold 16 bytes, or 32 hexadecimal digits; write the reader's key anew")
    if key in _KNOWN_KEYS:
        raise DeviceError(f"key {path}: is a default key that everybody knows; give the reader one of its own")
    return key


def _from_hex(raw: bytes) -> bytes:
    try:
        return binascii.unhexlify(raw.strip())
    except ValueError:
        return b""
