"""One process owns a data directory: the lock that a second `run` meets."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class OwnedError(Exception):
    """Another process owns the data directory, or nobody can; the message names the place and the mend."""


@contextlib.contextmanager
def owned(lock: Path, command: str) -> Iterator[None]:
    """Hold the lock file while the context lasts; the kernel frees it when the process ends, however it ends.

    `command` is what others are told to stop. The file stays: removing it would let two processes lock two files of
    one name. Raises OwnedError at once, also when the folder cannot be written to.
    """
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OwnedError(f"{lock}: cannot be opened ({error.strerror}); see who may write there") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            sentence = f"{lock.parent}: is in use by another `{command}`; stop that one, or name another data_dir"
            raise OwnedError(sentence) from error
        yield
    finally:
        os.close(descriptor)
