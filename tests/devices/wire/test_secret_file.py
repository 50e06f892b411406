from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devices.driver import DeviceError
from devices.wire.secret_file import read_secret

if TYPE_CHECKING:
    from pathlib import Path

SECRET = b"s3cret"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_secret_is_its_line_without_the_end(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(SECRET + end)
    assert read_secret("key_file", path, len(SECRET)) == SECRET


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "nothing"),
        (b"\r\n", "nothing"),
        (SECRET, "too much"),
        (SECRET * 1000, "too much"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_no_use_is_named_and_never_quoted(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeviceError, match=f"^key_file {path}: .*{why}") as raised:
        read_secret("key_file", path, len(SECRET) - 1)
    assert SECRET.decode() not in str(raised.value)
