from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from devices.driver import DeviceError
from devices.fare.osdp_key import read_key

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes.fromhex("00112233445566778899aabbccddeeff")


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "gate.scbk"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b"\n"])
def test_a_key_is_sixteen_bytes_or_their_digits(tmp_path: Path, content: bytes) -> None:
    assert read_key(key_file(tmp_path, content)) == KEY


@pytest.mark.parametrize("content", [b"", KEY[:15], KEY + b"\x00", KEY.hex().encode()[:31], b"x" * 32, b"0" * 5000])
def test_anything_else_is_refused_without_being_quoted(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DeviceError, match="16 bytes, or 32 hexadecimal digits") as refused:
        read_key(key_file(tmp_path, content))
    assert content.decode("latin-1")[:8] not in str(refused.value) or not content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(DeviceError, match="chmod 600"):
        read_key(key_file(tmp_path, KEY, mode))


@pytest.mark.parametrize("content", [b"0123456789:;<=>?", bytes(16)], ids=["default", "zeros"])
def test_a_key_that_everybody_knows_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DeviceError, match="everybody knows"):
        read_key(key_file(tmp_path, content))


def test_a_missing_key_and_one_that_is_no_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be read"):
        read_key(tmp_path / "missing")
    for place in (tmp_path, tmp_path / "pipe"):
        if place != tmp_path:
            os.mkfifo(place, 0o600)
        with pytest.raises(DeviceError, match="is no file"):
            read_key(place)
