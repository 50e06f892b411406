"""A password, or another secret of one line, from a small file of its own: configuration only names the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devices.driver import DeviceError

if TYPE_CHECKING:
    from pathlib import Path


def read_secret(key: str, path: Path, bytes_max: int) -> bytes:
    """The line in the file at `path`, without its end; `key` is the setting that names the file.

    Raises DeviceError, which never quotes the file: not readable, empty, or longer than `bytes_max`.
    """
    try:
        with path.open("rb") as file:
            secret = file.read(bytes_max + len(b"\r\n") + 1).rstrip(b"\r\n")
    except OSError as error:
        raise DeviceError(f"{key} {path}: cannot be read ({error.strerror}); put the secret there") from error
    if not 0 < len(secret) <= bytes_max:
        what = "too much" if secret else "nothing"
        raise DeviceError(f"{key} {path}: holds {what}; must be one line of 1 to {bytes_max} bytes")
    return secret
